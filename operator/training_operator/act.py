"""Carries out a plan's actions; makes no decisions, and every one of them is safe when the plan rests on old news."""

from dataclasses import dataclass
from typing import Any

from training_operator.builders.claim import build_claim
from training_operator.builders.job import build_job
from training_operator.builders.metadata import Manifest
from training_operator.builders.network_policy import build_network_policy
from training_operator.builders.service import build_service
from training_operator.children import Job, ObjectMeta, read_job, read_metadata
from training_operator.cluster import Cluster, Plural
from training_operator.errors import AlreadyExistsError, ConflictError
from training_operator.observe import Observed
from training_operator.obstacle import BlockedError, Obstacle
from training_operator.plan import Action, CreateChildren, DeleteJob, DeleteService, SuspendJob
from training_operator.store import Kind, Store
from trainingjob_api.contract import JOB_NAME_LABEL
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import ClaimTemplate
from trainingjob_api.status import Reason


@dataclass(frozen=True)
class Actor:
    """The hands of the reconciler."""

    cluster: Cluster
    store: Store
    trainer_image: str
    network_policy_from: tuple[str, ...] = ()

    async def carry_out(self, observed: Observed, actions: tuple[Action, ...]) -> None:
        """Do it all; BlockedError tells what stands in the way."""
        for action in actions:
            await self._one(observed, action)

    async def _one(self, observed: Observed, action: Action) -> None:
        namespace = observed.job.metadata.namespace
        match action:
            case CreateChildren():
                await self._create_children(observed.job)
            case SuspendJob(job, reason):
                raw = await self.cluster.suspend_job(namespace, job.name, job.metadata.resource_version, reason)
                self.store.put(Kind.JOB, raw)
            case DeleteJob(job, is_certain):
                if not is_certain:
                    await self._make_certain(observed.job)
                await self._delete_job(observed.job, job)
            case DeleteService(name):
                await self._delete_service(observed.job, name)

    async def _delete_job(self, job: TrainingJob, child: Job) -> None:
        version = child.metadata.resource_version
        raw = await self.cluster.delete("jobs", job.metadata.namespace, child.name, child.uid, version)
        if raw is None:
            self.store.forget_job(child)
        else:
            self.store.put(Kind.JOB, raw)

    async def _make_certain(self, job: TrainingJob) -> None:
        """The TrainingJob is still as it was seen."""
        raw = await self.cluster.get("trainingjobs", *job.metadata.key)
        if raw is None or raw["metadata"]["resourceVersion"] != job.metadata.resource_version:
            raise ConflictError(f"TrainingJob {job.metadata.name} has changed")

    async def _create_children(self, job: TrainingJob) -> None:
        """The claim, the Service, the NetworkPolicy, and last the Job whose pods need them."""
        template = job.spec.checkpoint.volume.claim_template
        # A claim that was there once is never made again: an empty one in its place would hide what was lost.
        if template is not None and job.status.volume_claim is None:
            await self._claim(job, template)
        if job.spec.nodes > 1:
            await self._service(job)
        if self.network_policy_from:
            await self._network_policy(job)
        await self._job(job)

    async def _claim(self, job: TrainingJob, template: ClaimTemplate) -> None:
        manifest = build_claim(job, template)
        there = await self._create("persistentvolumeclaims", manifest)
        retained = template.retain and there.labels.get(JOB_NAME_LABEL) == job.metadata.name
        is_free = retained and not there.owner_references and there.deletion_timestamp is None
        if not _is_owned(there, job) and not is_free:
            raise _name_taken("PersistentVolumeClaim", there, job)

    async def _service(self, job: TrainingJob) -> None:
        there = await self._create("services", build_service(job))
        if not _is_owned(there, job):
            raise _name_taken("Service", there, job)

    async def _network_policy(self, job: TrainingJob) -> None:
        there = await self._create("networkpolicies", build_network_policy(job, self.network_policy_from))
        if not _is_owned(there, job):
            raise _name_taken("NetworkPolicy", there, job)

    async def _job(self, job: TrainingJob) -> None:
        manifest = build_job(job, job.status.attempt, self.trainer_image)
        raw = await self._create_raw("jobs", manifest)
        there = read_job(raw)
        if there.owner != job.metadata.uid or there.attempt != job.status.attempt:
            raise _name_taken("Job", there.metadata, job)
        self.store.put(Kind.JOB, raw)

    async def _create(self, plural: Plural, manifest: Manifest) -> ObjectMeta:
        raw = await self._create_raw(plural, manifest)
        return read_metadata(raw)

    async def _create_raw(self, plural: Plural, manifest: Manifest) -> dict[str, Any]:
        """The object of this name: just created, or there before."""
        try:
            return await self.cluster.create(plural, manifest)
        except AlreadyExistsError:
            metadata = manifest["metadata"]
            there = await self.cluster.get(plural, metadata["namespace"], metadata["name"])
            if there is None:
                raise ConflictError(f"{plural} {metadata['name']} was there and is gone") from None
            return there

    async def _delete_service(self, job: TrainingJob, name: str) -> None:
        raw = await self.cluster.get("services", job.metadata.namespace, name)
        there = read_metadata(raw) if raw else None
        if there is not None and _is_owned(there, job):
            await self.cluster.delete("services", job.metadata.namespace, name, there.uid, there.resource_version)


def _is_owned(metadata: ObjectMeta, job: TrainingJob) -> bool:
    return metadata.owner_of_kind("TrainingJob") == job.metadata.uid


def _name_taken(kind: str, metadata: ObjectMeta, job: TrainingJob) -> BlockedError:
    # What belonged to a TrainingJob of this name goes soon, since its owner is gone.
    was_ours = metadata.owner_of_kind("TrainingJob") and metadata.labels.get(JOB_NAME_LABEL) == job.metadata.name
    if metadata.deletion_timestamp is not None or was_ours:
        words = f"Waiting until {kind} {metadata.name} of before is deleted."
        return BlockedError(Obstacle(Reason.STILL_TERMINATING, words, needs_a_person=False))
    words = (
        f"{kind} {metadata.name} exists and is not of this TrainingJob; delete it, or name the TrainingJob otherwise"
    )
    return BlockedError(Obstacle(Reason.NAME_TAKEN, words))
