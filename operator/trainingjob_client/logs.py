"""The log of one rank: waits for pods where it is followed, and goes on with the next attempt's."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from trainingjob_api.contract import CONTAINER_NAME
from trainingjob_client.api import Api
from trainingjob_client.errors import NoLogError, NotFoundError, RefusedError, UnavailableError
from trainingjob_client.job import Job, Pod, labels_of
from trainingjob_client.resources import PODS, TRAINING_JOBS

_LOOK_AGAIN = 0.5  # seconds


@dataclass
class LogReading:
    """Of one job; `rank` counts over all pods, and the log is that of the pod in which it runs."""

    api: Api
    namespace: str
    name: str
    rank: int = 0
    tail: int | None = None

    async def newest(self) -> AsyncGenerator[str, None]:
        """What there is now; NoLogError when there is no pod that has begun."""
        job = await self._job()
        pod = await self._pod(job, after=0)
        if pod is None or not pod.has_log:
            raise NoLogError(_nothing(job, pod, self.rank))
        async with aclosing(self._lines(pod, follow=False, tail=self.tail)) as lines:
            async for line in lines:
                yield line

    async def followed(self) -> AsyncGenerator[str, None]:
        """To the end of the training, over pauses and restarts."""
        done = 0
        while True:
            job = await self._job()
            pod = await self._pod(job, after=done)
            if pod is not None and pod.has_log:
                async with aclosing(self._to_its_end(pod)) as lines:
                    async for line in lines:
                        yield line
                done, self.tail = pod.attempt, None
            elif job.is_over:
                return
            else:
                await asyncio.sleep(_LOOK_AGAIN)

    async def _job(self) -> Job:
        while True:
            try:
                return Job(await self.api.get(TRAINING_JOBS, self.name, self.namespace))
            except UnavailableError as error:
                await asyncio.sleep(error.retry_after or _LOOK_AGAIN)

    async def _pod(self, job: Job, after: int) -> Pod | None:
        """The newest attempt's that this rank belongs to."""
        try:
            found = await self.api.list(PODS, self.namespace, labels=labels_of(self.name))
        except UnavailableError:
            return None
        node = self.rank // job.spec.local_world_size
        pods = [pod for raw in found["items"] if (pod := Pod(raw)).node_rank == node and pod.attempt > after]
        return max(pods, key=lambda pod: (pod.attempt, pod.has_log), default=None)

    async def _to_its_end(self, pod: Pod) -> AsyncGenerator[str, None]:
        """Past a connection that breaks: read again, without the lines that were given."""
        given, tail = 0, self.tail
        while True:
            skip = given
            try:
                async with aclosing(self._lines(pod, follow=True, tail=tail)) as lines:
                    async for line in lines:
                        if skip:
                            skip -= 1
                            continue
                        given += 1
                        yield line
                if not await self._goes_on(pod):
                    return
            except (NotFoundError, RefusedError):
                return  # the pod has gone meanwhile
            except UnavailableError:
                pass
            if self.tail is not None:
                given, tail = 0, 0  # where a tail began is not known any more: only what is new
            await asyncio.sleep(_LOOK_AGAIN)

    async def _goes_on(self, pod: Pod) -> bool:
        """Whether the container runs although its log has ended: a kubelet that was restarted closes it."""
        return "running" in Pod(await self.api.get(PODS, pod.name, self.namespace)).container

    def _lines(self, pod: Pod, *, follow: bool, tail: int | None) -> AsyncGenerator[str, None]:
        query = {
            "container": CONTAINER_NAME,
            "follow": "true" if follow else "",
            "tailLines": "" if tail is None else str(tail),
        }
        return self.api.lines(PODS.path(self.namespace, pod.name, "log"), query)


def _nothing(job: Job, pod: Pod | None, rank: int) -> str:
    ranks = job.spec.nodes * job.spec.local_world_size
    if rank >= ranks:
        return f"{job.name} has ranks 0 to {ranks - 1}; there is no rank {rank}"
    if pod is not None:
        return f"{pod.name} has not begun: {pod.waits_for or pod.phase}"
    return f"{job.name} has no pod now ({job.phase}): follow the log to wait for one"
