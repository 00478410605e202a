"""What `doctor` says of a cluster and of a job, from what was read. Pure."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from trainingjob_cli.advice import next_steps
from trainingjob_cli.words import age, count
from trainingjob_client.job import Job, Pod

Raw = Mapping[str, Any]
Level = Literal["ok", "note", "bad", "next"]

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_SHARED = (
    "nfs",
    "efs",
    "filestore",
    "cephfs",
    "azurefile",
    "azure-file",
    "longhorn",
    "lustre",
    "fsx",
    "gluster",
    "smb",
)
_SHARED_HERE = "trainingjob.dev/local-directory"
_PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Finding:
    level: Level
    text: str
    next: str = ""

    def __str__(self) -> str:
        return f"{self.level:<5}{self.text}" + (f"; {self.next}" if self.next else "")


def ended_by(error: Exception, url: str) -> Finding:
    """What has kept it from looking further."""
    step = "see whether the kubeconfig has the right address and credentials, and whether the API server runs"
    return Finding("bad", f"{url}: {' '.join(str(error).split())}", step)


def kinds(served: Sequence[str]) -> list[Finding]:
    """Of our group, as the API server serves them."""
    wanted = ("trainingjobs", "traininghistories")
    missing = [name for name in wanted if name not in served]
    if missing:
        return [Finding("bad", f"the cluster does not know {' and '.join(missing)}", "kubectl apply -k deploy/base")]
    return [Finding("ok", f"the cluster knows {' and '.join(wanted)}")]


def fields(served: Raw | None, known: Raw) -> list[Finding]:
    """Of a TrainingJob's spec and status: as the API server describes them, and as this client has them."""
    if served is None:
        return []
    theirs, ours = set(_paths(served)), set(_paths(known))
    if missing := _outermost(ours - theirs):
        text = f"the cluster's CRD is older than this client: it does not know {_some(missing)}"
        return [Finding("bad", text, "upgrade it with the operator: docs/install.md")]
    if more := _outermost(theirs - ours):
        text = f"the cluster's CRD is newer than this client, which does not know {_some(more)}"
        return [Finding("note", text, "pip install --upgrade 'trainingjob[cli]'")]
    return [Finding("ok", "the cluster's CRD has the fields that this client has")]


def _paths(schema: Raw, path: str = "") -> Iterator[str]:
    """Of all fields below spec and status."""
    for name, below in (schema.get("properties") or {}).items():
        if path or name in ("spec", "status"):
            here = f"{path}.{name}".lstrip(".")
            yield here
            yield from _paths(below, here)
    for inside in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inside, Mapping):
            yield from _paths(inside, path)


def _outermost(paths: Set[str]) -> list[str]:
    return sorted(path for path in paths if path.rpartition(".")[0] not in paths)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def operator(deployments: Sequence[Raw] | None, jobs: Sequence[Job] | None, now: datetime) -> list[Finding]:
    """None: may not be read. Whether it works its jobs tell better than its Deployment."""
    found = [_deployment(each) for each in deployments or ()]
    if deployments == []:
        found = [
            Finding("note", "there is no Deployment of the operator", "unless it runs as a process: docs/install.md")
        ]
    waiting = [job for job in jobs or () if _is_left_alone(job, now)]
    if waiting:
        text = f"nobody has looked at {count(len(waiting), 'job')} for over a minute, such as {waiting[0].name}"
        return [*found, Finding("bad", text, "see whether the operator runs, and its log")]
    return [*found, Finding("ok", "the operator looks after every job there is")] if jobs else found


def _is_left_alone(job: Job, now: datetime) -> bool:
    if not job.spec.is_ours:
        return False
    return job.unseen_since is not None and (now - job.unseen_since).total_seconds() > _PATIENCE


def _deployment(raw: Raw) -> Finding:
    name = f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
    ready, wanted = (raw.get("status") or {}).get("readyReplicas") or 0, raw["spec"].get("replicas", 1)
    if ready:
        return Finding("ok", f"the operator {name}: {ready} of {wanted} replicas are ready")
    return Finding(
        "bad",
        f"the operator {name}: no replica is ready",
        f"kubectl -n {raw['metadata']['namespace']} describe deployment {raw['metadata']['name']}",
    )


def rights(allowed: Mapping[str, bool], namespace: str) -> list[Finding]:
    """Such as {"create trainingjobs": True}."""
    missing = [what for what, may in allowed.items() if not may]
    if missing:
        text = f"you may not {', '.join(missing)} in namespace {namespace}"
        return [Finding("bad", text, "ask for the role trainingjob-edit (all of it) or trainingjob-view")]
    return [Finding("ok", f"you may do everything with trainingjobs in namespace {namespace}")]


def storage(classes: Sequence[Raw]) -> list[Finding]:
    """For claimTemplates: a default, and one whose volumes several pods share."""
    default = [
        _name(each) for each in classes if (each["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    ]
    shared = [_name(each) for each in classes if _is_shared(str(each["provisioner"]))]
    return [
        Finding("ok", f"storage class {default[0]} is the default")
        if default
        else Finding("bad", "no storage class is the default", "name one in claimTemplate.storageClassName"),
        Finding("ok", f"ReadWriteMany, for several pods, by storage class {', '.join(shared)}")
        if shared
        else Finding("note", "no storage class is known to offer ReadWriteMany", "without one jobs have one pod"),
    ]


def _is_shared(provisioner: str) -> bool:
    return provisioner == _SHARED_HERE or any(word in provisioner.lower() for word in _SHARED)


def gpus(nodes: Sequence[Raw]) -> list[Finding]:
    def offered(node: Raw) -> int:
        resources = (node.get("status") or {}).get("allocatable") or {}
        return sum(int(amount) for name, amount in resources.items() if name.endswith("/gpu"))

    found = [each for each in map(offered, nodes) if each]
    if not found:
        return [Finding("note", f"no GPU is offered by {count(len(nodes), 'node')}")]
    return [Finding("ok", f"{count(sum(found), 'GPU')} on {count(len(found), 'node')}")]


def prometheus(groups: Sequence[str]) -> list[Finding]:
    if "monitoring.coreos.com" in groups:
        return [Finding("ok", "the Prometheus operator is there: kubectl apply -k deploy/monitoring lets it watch")]
    return [Finding("note", "no Prometheus operator; docs/observability.md says how to have metrics without")]


def of_job(
    job: Job, pods: Sequence[Pod], missing: Sequence[str], program: str, now: datetime, refused: str = ""
) -> list[Finding]:
    """Why it does not run, the most telling first, and what to do; refused: what Kubernetes says of pods it does not
    make."""
    silence = _silence(job, now)
    is_well = (job.is_running or job.has_succeeded) and not silence
    level: Level = "ok" if is_well else "bad" if _is_bad(job) or missing or silence else "note"
    words = silence or job.message
    if not job.spec.is_ours:
        words = f"{job.spec.managed_by} looks after it, not the operator of this cluster (spec.managedBy)"
    found = [Finding(level, f"{job.name} is {job.phase}" + (f": {words.rstrip('.')}" if words else ""))]
    found += [Finding("bad", f"it needs {each}, which is not there", f"make it: {_create(each)}") for each in missing]
    found += [Finding("bad", refused)] if refused else []
    if not job.is_running:
        found += [Finding("bad", f"{pod.name} waits: {pod.waits_for}") for pod in pods if _adds(pod.waits_for, words)][
            :2
        ]
    if (failure := job.status.last_failure) is not None and not job.has_succeeded and failure.message not in words:
        ago = age((now - failure.time).total_seconds())
        found.append(
            Finding("note", f"attempt {failure.attempt} ended with {failure.reason} {ago} ago: {failure.message}")
        )
    steps = [f"See whether the operator runs: {program} doctor"] if silence else next_steps(job, [], program)
    return [*found, *(Finding("next", step) for step in steps[:2])]


def _adds(text: str, said: str) -> bool:
    """Whether it tells more than what was said."""
    return bool(text) and text != "ContainerCreating" and text.rstrip(".") not in said


def _is_bad(job: Job) -> bool:
    stalled = job.status.condition("Stalled")
    return stalled is not None and stalled.status == "True"


def _silence(job: Job, now: datetime) -> str:
    if not _is_left_alone(job, now):
        return ""
    return "nobody has looked at it: the operator does not run, or does not watch this namespace"


def _create(what: str) -> str:
    kind, _, name = what.partition(" ")
    return f"kubectl create {kind.lower()} {name}" if kind != "claim" else "kubectl apply -f (a PersistentVolumeClaim)"


def _name(raw: Raw) -> str:
    return str(raw["metadata"]["name"])
