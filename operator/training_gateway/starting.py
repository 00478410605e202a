"""A request for a training -> a TrainingJob in the cluster, once for each idempotency key."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from training_gateway.gate import User
from training_gateway.identity import REQUEST_ANNOTATION, key_digest, keyed_name, object_name, task_id_of
from training_gateway.objects import training_job
from training_gateway.refusal import FieldError, Refusal, invalid
from training_gateway.services import Services
from training_gateway.start_request import StartRequest
from trainingjob_client.errors import AlreadyExistsError, NotFoundError
from trainingjob_client.job import Job
from trainingjob_client.resources import TRAINING_JOBS

_TRIES = 100


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
        raise Refusal(409, "no task id is free at the moment: try again")

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
            return Job(await create(TRAINING_JOBS, manifest, self.namespace, dry_run=self.dry_run))
        except NotFoundError:
            raise invalid(FieldError("namespace", f"there is no namespace {self.namespace}")) from None

    def _free_task_id(self) -> str:
        while self.services.store.by_task_id(task_id := self.services.task_ids.next()):
            continue
        return task_id

    @property
    def _digest(self) -> str:
        body = json.dumps(self.request.model_dump(mode="json", by_alias=True), sort_keys=True)
        return sha256(f"{self.namespace} {body}".encode()).hexdigest()[:32]
