"""A request for a training -> a TrainingJob in the cluster, once for each idempotency key."""

import json
from dataclasses import dataclass
from hashlib import sha256
from random import randint
from typing import Any

from training_gateway.gate import User
from training_gateway.identity import REQUEST_ANNOTATION, key_digest, keyed_name, object_name, task_id_of
from training_gateway.objects import training_job
from training_gateway.refusal import FieldError, Refusal, invalid
from training_gateway.services import Services
from training_gateway.start_request import StartRequest
from trainingjob_api.contract import TASK_LABEL
from trainingjob_client.errors import AlreadyExistsError, NotFoundError, UnavailableError
from trainingjob_client.job import Job
from trainingjob_client.resources import TRAINING_JOBS

_TRIES = 100


def _none_free() -> Refusal:
    return Refusal(409, "no task id is free at the moment: try again")


@dataclass(frozen=True)
class Start:
    """One request, understood."""

    services: Services
    user: User
    namespace: str
    request: StartRequest
    spec: dict[str, Any]
    key: str = ""
    dry_run: bool = False

    async def run(self) -> Job:
        """The job that was made, now or under the same key before. Refusal where that asked for something else."""
        return await (self._under_key() if self.key else self._under_own_name())

    async def _under_own_name(self) -> Job:
        for _ in range(_TRIES):
            task_id = self._free_task_id()
            try:
                return await self._create(object_name(task_id), task_id)
            except AlreadyExistsError:  # another gateway was quicker in this second
                continue
        raise _none_free()

    async def _under_key(self) -> Job:
        digest = key_digest(self.user.name, self.key)
        try:
            return await self._create(keyed_name(digest), self._free_task_id(), digest)
        except AlreadyExistsError:
            before = Job(await self.services.api.get(TRAINING_JOBS, keyed_name(digest), self.namespace))
        if before.annotations.get(REQUEST_ANNOTATION) != self._digest:
            raise invalid(
                FieldError("Idempotency-Key", f"was used for another request, which made {task_id_of(before)}")
            )
        return before

    async def _create(self, name: str, task_id: str, key_digest: str = "") -> Job:
        idempotency = (key_digest, self._digest) if key_digest else None
        manifest = training_job(name, task_id, self.request.name, self.user, self.spec, idempotency)
        create = self.services.api.create
        try:
            job = Job(await create(TRAINING_JOBS, manifest, self.namespace, dry_run=self.dry_run))
        except NotFoundError:
            raise invalid(FieldError("namespace", f"there is no namespace {self.namespace}")) from None
        return job if self.dry_run else await self._alone(job)

    async def _alone(self, job: Job) -> Job:
        """With an id that no other has: another gateway may have given it in the same second, in another namespace.

        Whoever wrote it later sees both and takes a later one, so that of two at most one keeps it.
        """
        for most in range(1, _TRIES):
            if not await self._shares_its_id(job):
                return job
            for _ in range(randint(1, most)):  # noqa: S311  (not in step with the other)
                task_id = self._free_task_id()
            change = {"metadata": {"uid": job.uid, "labels": {TASK_LABEL: task_id}}}
            job = Job(await self.services.api.patch(TRAINING_JOBS, job.name, change, self.namespace))
        raise _none_free()

    async def _shares_its_id(self, job: Job) -> bool:
        try:
            return any(other.uid != job.uid for other in await self.services.labelled(task_id_of(job)))
        except UnavailableError:
            return False  # it is made: whoever asked is to hear that, and not to ask again

    def _free_task_id(self) -> str:
        while self.services.store.by_task_id(task_id := self.services.task_ids.next()):
            continue
        return task_id

    @property
    def _digest(self) -> str:
        body = json.dumps(self.request.model_dump(mode="json", by_alias=True), sort_keys=True)
        return sha256(f"{self.namespace} {body}".encode()).hexdigest()[:32]
