"""What `doctor` reads; what it says of that is in findings.py."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from trainingjob_api.contract import API_VERSION, GROUP, KIND
from trainingjob_api.schema import structural_schema
from trainingjob_cli import findings
from trainingjob_cli.findings import Finding
from trainingjob_cli.program import program
from trainingjob_cli.versions import OPERATOR_LABEL
from trainingjob_client import AsyncTrainingJobs, ClientError, ForbiddenError, Job, NotFoundError
from trainingjob_client.api import Api, Raw
from trainingjob_client.job import event_of
from trainingjob_client.resources import (
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    NODES,
    OWN_ACCESS_REVIEWS,
    SECRETS,
    STORAGE_CLASSES,
    Resource,
)

_RIGHTS = (
    *((verb, GROUP, "trainingjobs") for verb in ("list", "create", "patch", "delete")),
    ("get", GROUP, "traininghistories"),
    ("list", "", "pods"),
    ("get", "", "pods/log"),
)


async def examine_cluster(jobs: AsyncTrainingJobs) -> AsyncIterator[Finding]:
    """One after the other; the first that is bad may explain the others."""
    server = await jobs.api.request("GET", "/version")
    yield Finding("ok", f"Kubernetes {server.get('gitVersion', '?')} answers at {jobs.api.connection.url}")
    served = await _served(jobs.api)
    for found in findings.kinds(served):
        yield found
    if "trainingjobs" in served:
        for found in findings.fields(await _schema(jobs.api), structural_schema()):
            yield found
        now = datetime.now(UTC)
        for found in findings.operator(
            await _items(jobs.api, DEPLOYMENTS, labels=OPERATOR_LABEL), await _jobs(jobs), now
        ):
            yield found
    for found in findings.rights(await _rights(jobs), jobs.namespace):
        yield found
    for resource, tell in ((STORAGE_CLASSES, findings.storage), (NODES, findings.gpus)):
        items = await _items(jobs.api, resource)
        for found in [Finding("note", f"{resource.plural} may not be read")] if items is None else tell(items):
            yield found
    groups = (await jobs.api.request("GET", "/apis"))["groups"]
    for found in findings.prometheus([str(each["name"]) for each in groups]):
        yield found


async def examine_job(jobs: AsyncTrainingJobs, name: str) -> list[Finding]:
    job = await jobs.get(name)
    pods, missing = await asyncio.gather(jobs.pods(name), _missing(jobs.api, job))
    refused = "" if pods else await _refusal(jobs.api, job)
    return findings.of_job(job, pods, missing, program(), datetime.now(UTC), refused)


async def _served(api: Api) -> list[str]:
    try:
        return [str(each["name"]) for each in (await api.request("GET", f"/apis/{API_VERSION}"))["resources"]]
    except NotFoundError:
        return []


async def _schema(api: Api) -> Raw | None:
    """Of TrainingJobs; None: it is not told, such as right after the CRD was made."""
    try:
        described = await api.request("GET", f"/openapi/v3/apis/{API_VERSION}")
    except (NotFoundError, ForbiddenError):
        return None
    schemas: dict[str, Raw] = (described.get("components") or {}).get("schemas") or {}
    return next((schema for name, schema in schemas.items() if name.endswith(f".{KIND}")), None)


async def _items(api: Api, resource: Resource, labels: str = "") -> list[Raw] | None:
    """None: may not be read."""
    try:
        items: list[Raw] = (await api.list(resource, labels=labels))["items"]
    except ForbiddenError:
        return None
    return items


async def _jobs(jobs: AsyncTrainingJobs) -> Sequence[Job] | None:
    for everywhere in (True, False):
        try:
            return (await jobs.list(all_namespaces=everywhere)).items
        except ForbiddenError:
            continue
    return None


async def _rights(jobs: AsyncTrainingJobs) -> dict[str, bool]:
    async def may(verb: str, group: str, resource: str) -> tuple[str, bool]:
        plural, _, subresource = resource.partition("/")
        asked = {"namespace": jobs.namespace, "verb": verb, "group": group, "resource": plural}
        review = {
            "apiVersion": OWN_ACCESS_REVIEWS.api_version,
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**asked, "subresource": subresource}},
        }
        answer = await jobs.api.create(OWN_ACCESS_REVIEWS, review)
        return f"{verb} {resource}", bool(answer["status"].get("allowed"))

    return dict(await asyncio.gather(*(may(*each) for each in _RIGHTS)))


async def _refusal(api: Api, job: Job) -> str:
    """Why its pods are not made, such as a quota; empty: nobody says so."""
    if job.is_over or job.status.job is None:
        return ""
    fields = f"involvedObject.kind=Job,involvedObject.name={job.status.job.name},reason=FailedCreate"
    try:
        events = (await api.list(EVENTS, job.namespace, fields=fields))["items"]
    except ForbiddenError:
        return ""
    newest = sorted(map(event_of, events), key=lambda event: event.time.timestamp() if event.time else 0.0)
    return newest[-1].message if newest else ""


async def _missing(api: Api, job: Job) -> list[str]:
    """What its pods mount and is not there."""
    wanted: list[tuple[Resource, str, str]] = []
    claim = job.model.checkpoint_claim
    if claim and (job.spec.checkpoint.volume.claim_name or job.status.volume_claim):  # else it is still to be made
        wanted.append((CLAIMS, "claim", claim))
    for volume in job.spec.pod.volumes or ():
        if volume.config_map and not volume.config_map.optional:
            wanted.append((CONFIG_MAPS, "ConfigMap", volume.config_map.name))
        if volume.secret and not volume.secret.optional:
            wanted.append((SECRETS, "Secret", volume.secret.secret_name))
        if volume.persistent_volume_claim:
            wanted.append((CLAIMS, "claim", volume.persistent_volume_claim.claim_name))
    there = await asyncio.gather(*(_is_there(api, resource, name, job.namespace) for resource, _, name in wanted))
    return [f"{kind} {name}" for (_, kind, name), found in zip(wanted, there, strict=True) if not found]


async def _is_there(api: Api, resource: Resource, name: str, namespace: str) -> bool:
    """Also where it may not be asked: nothing is claimed that was not seen."""
    try:
        await api.get(resource, name, namespace)
    except NotFoundError:
        return False
    except ClientError:
        return True
    return True
