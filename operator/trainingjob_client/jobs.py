"""`AsyncTrainingJobs`: everything that is done with TrainingJobs, in one place for the command line, the HTTP API and
programs of one's own."""

import asyncio
import builtins
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from trainingjob_api.contract import KIND
from trainingjob_client import manifest as manifests
from trainingjob_client.api import FIELD_MANAGER, Api, Raw
from trainingjob_client.errors import (
    AlreadyExistsError,
    EndedError,
    FinishedError,
    NotFoundError,
    NotInstalledError,
    RefusedError,
    WaitTimeoutError,
)
from trainingjob_client.history import JobHistory, read_history
from trainingjob_client.job import Change, Event, Job, Page, Pod, event_of, labels_of
from trainingjob_client.keeping import decide_claim, delete_claim
from trainingjob_client.logs import LogReading
from trainingjob_client.mapping import resource_of
from trainingjob_client.resources import EVENTS, PODS, TRAINING_JOBS
from trainingjob_client.watching import Watching

Until = Literal["complete", "paused", "failed", "running", "ended"]
_HOLDS: dict[str, Callable[[Job], bool]] = {
    "complete": lambda job: job.has_succeeded,
    "failed": lambda job: job.is_over and not job.has_succeeded,
    "ended": lambda job: job.is_over,
    "paused": lambda job: job.is_paused,
    "running": lambda job: job.is_running,
}


@dataclass(frozen=True)
class AsyncTrainingJobs:
    """The TrainingJobs of one cluster, as one user. All errors are ClientErrors."""

    api: Api
    namespace: str
    """Where `namespace` is not given."""

    @classmethod
    async def connect(
        cls,
        *,
        namespace: str | None = None,
        context: str | None = None,
        kubeconfig: str | Path | None = None,
        field_manager: str = FIELD_MANAGER,
    ) -> Self:
        """By a kubeconfig (`KUBECONFIG`, else ~/.kube/config); in a pod as its ServiceAccount."""
        api = await Api.connect(context=context, kubeconfig=kubeconfig, field_manager=field_manager)
        return cls(api, namespace or api.connection.namespace)

    async def close(self) -> None:
        await self.api.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # Make

    async def submit(self, manifest: manifests.Given, *, namespace: str | None = None, dry_run: bool = False) -> Job:
        """Create the TrainingJob of a file, a text or an object; what else is in it is applied before.

        A job is made once: AlreadyExistsError says how the one of this name stands, and changes nothing. The API server
        is asked before anything is written, so that a refused job leaves nothing behind.
        """
        read = manifests.read(manifest)
        where = read.in_namespace(namespace, self.namespace)
        tried = Job(await self._create(read.job, where, dry_run=True))
        for other in read.others:
            resource = await resource_of(self.api, other)
            own = other["metadata"].get("namespace") or where
            await self.api.apply(resource, other, own, dry_run=dry_run)
        return tried if dry_run else Job(await self._create(read.job, where, dry_run=False))

    async def _create(self, job: Raw, namespace: str, *, dry_run: bool) -> Raw:
        try:
            return await self.api.create(TRAINING_JOBS, job, namespace, dry_run=dry_run)
        except AlreadyExistsError as error:
            raise AlreadyExistsError(await self._how_it_stands(job["metadata"]["name"], namespace)) from error
        except NotFoundError as error:
            if isinstance(error, NotInstalledError):
                raise
            raise NotFoundError(f"there is no namespace {namespace}") from error

    async def _how_it_stands(self, name: str, namespace: str) -> str:
        there = await self.get(name, namespace=namespace)
        progress = there.status.progress
        where = f", epoch {progress.epoch_text}" if progress else ""
        return f"trainingjob {name} is in namespace {namespace} already ({there.phase}{where}); nothing was changed"

    # Read

    async def get(self, name: str, *, namespace: str | None = None) -> Job:
        where = namespace or self.namespace
        try:
            return Job(await self.api.get(TRAINING_JOBS, name, where))
        except NotInstalledError:
            raise
        except NotFoundError:
            raise NotFoundError(f"there is no trainingjob {name} in namespace {where}") from None

    async def list(
        self,
        *,
        namespace: str | None = None,
        all_namespaces: bool = False,
        label_selector: str = "",
        limit: int | None = None,
        page: str = "",
    ) -> Page:
        """By namespace and name. Without a limit all of them."""
        where = None if all_namespaces else namespace or self.namespace
        answer = await self.api.list(TRAINING_JOBS, where, labels=label_selector, limit=limit, page=page)
        metadata = answer["metadata"]
        items = tuple(Job(raw) for raw in answer["items"])
        return Page(items, str(metadata.get("continue") or ""), str(metadata.get("resourceVersion") or ""))

    async def pods(self, name: str, *, namespace: str | None = None) -> builtins.list[Pod]:
        """Those that are there, by attempt and node."""
        found = await self.api.list(PODS, namespace or self.namespace, labels=labels_of(name))
        return sorted((Pod(raw) for raw in found["items"]), key=lambda pod: (pod.attempt, pod.node_rank, pod.name))

    async def events(self, name: str, *, namespace: str | None = None, of_pods: bool = False) -> builtins.list[Event]:
        """What was noted of the job, and of its pods if those are wanted, oldest first."""
        where = namespace or self.namespace
        fields = [f"involvedObject.kind={KIND},involvedObject.name={name}"]
        if of_pods:
            pods = await self.pods(name, namespace=where)
            fields += [f"involvedObject.kind=Pod,involvedObject.name={pod.name}" for pod in pods]
        answers = await asyncio.gather(*(self.api.list(EVENTS, where, fields=one) for one in fields))
        events = [event_of(raw) for answer in answers for raw in answer["items"]]
        return sorted(events, key=lambda event: event.time.timestamp() if event.time else 0.0)

    async def history(self, name: str, *, namespace: str | None = None) -> JobHistory:
        """Every epoch since the first, also when no pod is left."""
        return await read_history(self.api, await self.get(name, namespace=namespace))

    # Change

    async def pause(
        self, name: str, *, namespace: str | None = None, annotations: Mapping[str, str] | None = None
    ) -> Job:
        """Ask for a pause; asking again changes nothing. FinishedError for a job that is over."""
        return await self._suspend(name, namespace, True, annotations)

    async def resume(
        self, name: str, *, namespace: str | None = None, annotations: Mapping[str, str] | None = None
    ) -> Job:
        """Let it go on; asking again changes nothing. FinishedError for a job that is over."""
        return await self._suspend(name, namespace, False, annotations)

    async def _suspend(
        self, name: str, namespace: str | None, wanted: bool, annotations: Mapping[str, str] | None
    ) -> Job:
        job = await self.get(name, namespace=namespace)
        if job.is_over:
            raise _finished(job)
        if job.is_suspended == wanted:
            return job
        try:
            noted = {"annotations": dict(annotations)} if annotations else {}
            change = {"metadata": {"uid": job.uid, **noted}, "spec": {"suspend": wanted}}
            return Job(await self.api.patch(TRAINING_JOBS, name, change, job.namespace))
        except RefusedError:
            now = await self.get(name, namespace=namespace)
            if now.is_over:  # meanwhile
                raise _finished(now) from None
            raise

    async def delete(self, name: str, *, namespace: str | None = None, keep_checkpoints: bool | None = None) -> None:
        """Delete a job, and its pods with it.

        keep_checkpoints: whether the claim that was made for it stays; None: as its claimTemplate.retain says.
        RefusedError when the checkpoints lie in a claim that was not made for it and are not to be kept.
        """
        job = await self.get(name, namespace=namespace)
        claim = await decide_claim(self.api, job, keep_checkpoints)
        await self.api.delete(TRAINING_JOBS, name, job.namespace, uid=job.uid)
        if claim:
            await delete_claim(self.api, job.namespace, claim)

    # Follow

    async def wait(
        self,
        name: str,
        *,
        until: Until = "complete",
        timeout: float | None = None,  # noqa: ASYNC109  (its error says how the job stands)
        namespace: str | None = None,
    ) -> Job:
        """The job once it is complete, failed, ended (either of them), paused (no pod is left) or running.

        EndedError when it ended otherwise, WaitTimeoutError after so many seconds, NotFoundError when it is deleted.
        """
        job: Job | None = None
        try:
            async with asyncio.timeout(timeout):
                async with aclosing(self.watch(name, namespace=namespace)) as seen:
                    async for job in seen:
                        if _HOLDS[until](job):
                            return job
        except TimeoutError:
            stands = f" ({job.phase})" if job else ""
            raise WaitTimeoutError(f"{name} is not {until} after {timeout:g} s{stands}") from None
        if job is not None and job.is_over:
            told = f": {job.message}" if job.message else ""
            raise EndedError(f"{name} has ended as {job.phase} and will not be {until}{told}", job.phase)
        raise NotFoundError(f"trainingjob {name} was deleted")

    async def watch(self, name: str, *, namespace: str | None = None) -> AsyncGenerator[Job, None]:
        """The job now and at every change, until it is over or deleted. NotFoundError when there is none."""
        where = namespace or self.namespace
        found = False
        async with aclosing(Watching(self.api, where, name).changes()) as changes:
            async for change in changes:
                if change.job is None:
                    if not found:
                        raise NotFoundError(f"there is no trainingjob {name} in namespace {where}")
                    continue
                if change.type == "DELETED":
                    return
                found = True
                yield change.job
                if change.job.is_over:
                    return

    def watch_all(self, *, namespace: str | None = None, all_namespaces: bool = False) -> AsyncGenerator[Change, None]:
        """All jobs as they are, SYNCED, then every change, for ever; an API server that goes away is waited for."""
        return Watching(self.api, None if all_namespaces else namespace or self.namespace).changes()

    def logs(
        self,
        name: str,
        *,
        rank: int = 0,
        follow: bool = False,
        tail: int | None = None,
        namespace: str | None = None,
    ) -> AsyncGenerator[str, None]:
        """Lines of the pod in which a rank runs. Followed: waits for pods, and goes on with the next attempt's, to the
        end of the training; otherwise NoLogError when there is none."""
        reading = LogReading(self.api, namespace or self.namespace, name, rank, tail)
        return reading.followed() if follow else reading.newest()


def _finished(job: Job) -> FinishedError:
    return FinishedError(
        f"{job.name} is over ({job.phase}): make a new TrainingJob to train again or longer", job.phase
    )
