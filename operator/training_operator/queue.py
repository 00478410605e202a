"""The work queue: one worker per key at a time, news coalesces, failures come back with backoff."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

from training_operator.records import Key

logger = logging.getLogger(__name__)

Work = Callable[[Key], Awaitable[float | None]]
"""Works on one key; returns after how many seconds it wants to look again, None: only when something happens."""

SHORTEST_BACKOFF, LONGEST_BACKOFF = 0.5, 60.0
BATCH_SECONDS = 1.0
"""How long news of pods that come to be may wait for more of it. Until it trains each pod is news about five times;
kube-controller-manager waits as long before it looks at the Job of a pod that has changed."""


class WorkQueue:
    """Keys that want attention, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[Key, float] = {}  # key -> since when
        self._busy: dict[Key, float] = {}  # key -> since when
        self._again: set[Key] = set()  # came while the key was being worked on
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._batches: dict[Key, asyncio.TimerHandle] = {}
        self._arrived = asyncio.Semaphore(0)  # wakes one worker for each key, where an event would wake them all
        self._is_open = True

    def close(self) -> None:
        """Forget everything and take nothing: another process does the work."""
        self._is_open = False
        for timer in (*self._timers.values(), *self._batches.values()):
            timer.cancel()
        for held in (self._waiting, self._again, self._failures, self._timers, self._batches):
            held.clear()

    def open(self, keys: Iterable[Key]) -> None:
        """Take what comes, and these first: what came while it was closed is among them."""
        self._is_open = True
        for key in keys:
            self.add(key)

    def add(self, key: Key) -> None:
        if not self._is_open:
            return
        if key in self._busy:
            self._again.add(key)
            return
        if key not in self._waiting:
            self._waiting[key] = time.monotonic()
            self._arrived.release()

    def add_batched(self, key: Key) -> None:
        """Add the key within a second, with whatever comes until then; sooner if something cannot wait."""
        if self._is_open and key not in self._batches:
            self._batches[key] = asyncio.get_running_loop().call_later(BATCH_SECONDS, self._on_batch, key)

    def _on_batch(self, key: Key) -> None:
        del self._batches[key]
        self.add(key)

    def later(self, key: Key, seconds: float | None) -> None:
        """Add the key after so many seconds; replaces what was planned for it before."""
        if planned := self._timers.pop(key, None):
            planned.cancel()
        if seconds is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(max(0.0, seconds), self._on_time, key)

    def _on_time(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def age(self) -> float:
        """Seconds that the oldest key has been waiting."""
        return time.monotonic() - next(iter(self._waiting.values())) if self._waiting else 0.0

    def longest_pass(self) -> float:
        """Seconds that the longest of the passes that go on has lasted."""
        return time.monotonic() - min(self._busy.values()) if self._busy else 0.0

    async def work(self, work: Work) -> None:
        """One worker: takes keys and works on them for ever."""
        while True:
            key = await self._take()
            with self._busy_with(key):
                await self._work_on(key, work)

    async def _take(self) -> Key:
        await self._arrived.acquire()
        while not self._waiting:  # it was closed meanwhile
            await self._arrived.acquire()
        key = next(iter(self._waiting))
        del self._waiting[key]
        return key

    @contextmanager
    def _busy_with(self, key: Key) -> Iterator[None]:
        self._busy[key] = time.monotonic()
        if batch := self._batches.pop(key, None):  # this pass sees it
            batch.cancel()
        try:
            yield
        finally:
            del self._busy[key]
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _work_on(self, key: Key, work: Work) -> None:
        try:
            self.later(key, await work(key))
            self._failures.pop(key, None)
        except Exception as error:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            delay = backoff(count)
            # Trouble with the API server is expected and says so itself; anything else is a defect and shows where.
            expected = isinstance(error, OSError | TimeoutError)
            logger.warning(
                "%s/%s: %s; again in %.1f s", *key, error or type(error).__name__, delay, exc_info=not expected
            )
            self.later(key, delay)


def backoff(failures: int) -> float:
    """Seconds before the next try after so many failures in a row, with jitter against marching in step."""
    longest: float = min(LONGEST_BACKOFF, SHORTEST_BACKOFF * 2.0 ** min(failures - 1, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311
