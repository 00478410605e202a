"""The wish to end a pod. It may come while anything is waited for, and again with less time."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from local_cluster.node.status import Verdict

Result = TypeVar("Result")


class Stopped(Exception):  # noqa: N818  (a wish, not an error)
    """The pod is to end; what was waited for no longer matters."""


class Stop:
    """Not asked for at first. Once asked for, it stays so; the time that is left can only shrink."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._shortened = asyncio.Event()
        self._deadline = float("inf")
        self.verdict: Verdict | None = None

    @property
    def is_requested(self) -> bool:
        return self._requested.is_set()

    def request(self, seconds: float, verdict: Verdict | None = None) -> None:
        """End the pod within so many seconds; the verdict of the first request stands."""
        if not self.is_requested:
            self.verdict = verdict
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + seconds)
        self._requested.set()
        self._shortened.set()

    async def requested(self) -> None:
        await self._requested.wait()

    async def expired(self) -> None:
        """Returns when it was asked for and no time is left."""
        await self.requested()
        while (left := self._deadline - asyncio.get_running_loop().time()) > 0:
            self._shortened.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._shortened.wait(), left)

    async def unless(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of the work, or Stopped as soon as a stop is asked for."""
        if self.is_requested:
            work.close()
            raise Stopped
        task = asyncio.ensure_future(work)
        if await ends_first(task, self.requested()):
            return await task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise Stopped


async def ends_first(task: "asyncio.Future[Result]", other: Coroutine[Any, Any, None]) -> bool:
    """Whether the task ends before the other does. The task goes on in any case, unless we are cancelled."""
    rival = asyncio.ensure_future(other)
    both: tuple[asyncio.Future[Any], ...] = (task, rival)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        rival.cancel()
