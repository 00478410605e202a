"""Asks rank 0 of every running attempt for its progress; a convenience that nothing depends on.

The pod is not trusted: little is read, no redirect is followed, and its word must be about the attempt asked for.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp

from training_operator.store import Key
from trainingjob_api.contract import METRICS_PORT, PROGRESS_LIMIT
from trainingjob_api.progress import Progress

TIMEOUT = aiohttp.ClientTimeout(total=3)
AT_ONCE = 16
"""Pods that are asked at the same time."""
SLOWEST = 30.0
EAGER_SECONDS = 15.0
"""After the start rank 0 is asked every second until it answers."""
SILENCE = 60.0
"""Without an answer for so long, the pod cannot be reached from here."""


@dataclass(frozen=True)
class Source:
    """Where an attempt's progress is served, and whose it must be."""

    pod_ip: str
    uid: str
    attempt: int

    @property
    def url(self) -> str:
        host = f"[{self.pod_ip}]" if ":" in self.pod_ip else self.pod_ip
        return f"http://{host}:{METRICS_PORT}/progress"


@dataclass
class _Following:
    source: Source
    task: asyncio.Task[None]
    report: Progress | None = None
    heard: float = field(default_factory=time.monotonic)


class Poller:
    """Follows one source per key."""

    def __init__(self, seconds: float, on_news: Callable[[Key], None], on_silence: Callable[[Key], None]) -> None:
        self._seconds = seconds
        self._on_news = on_news
        self._on_silence = on_silence
        self._following: dict[Key, _Following] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False, auto_decompress=False)
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for key in list(self._following):
            self.leave(key)
        if self._session is not None:
            await self._session.close()

    def follow(self, key: Key, source: Source) -> None:
        """Begin asking, or go on."""
        known = self._following.get(key)
        if known is not None and known.source == source:
            return
        self.leave(key)
        task = asyncio.create_task(self._follow(key), name=f"progress of {key[0]}/{key[1]}")
        self._following[key] = _Following(source, task)

    def leave(self, key: Key) -> None:
        if following := self._following.pop(key, None):
            following.task.cancel()

    def report(self, key: Key) -> Progress | None:
        """The newest word."""
        following = self._following.get(key)
        return following.report if following else None

    async def _follow(self, key: Key) -> None:
        following, began, was_told = self._following[key], time.monotonic(), False
        while True:
            report = await self._ask(following.source)
            if report is not None:
                following.heard, was_told = time.monotonic(), False
                self._take(key, following, report)
            elif not was_told and time.monotonic() - following.heard >= SILENCE:
                was_told = True
                self._on_silence(key)
            await asyncio.sleep(self._pause(following, time.monotonic() - began))

    def _take(self, key: Key, following: _Following, report: Progress) -> None:
        before, following.report = following.report, report
        if before is None or _gist(before) != _gist(report):
            self._on_news(key)

    def _pause(self, following: _Following, age: float) -> float:
        """Seconds until the next question: often enough to see every epoch of a usual length."""
        if following.report is None and age < EAGER_SECONDS:
            return min(1.0, self._seconds)
        latest = following.report.latest if following.report else None
        epoch = latest.seconds_per_epoch if latest and latest.seconds_per_epoch else 0.0
        return max(self._seconds, min(SLOWEST, epoch / 10))

    async def _ask(self, source: Source) -> Progress | None:
        assert self._session is not None
        try:
            async with self._slots, self._session.get(source.url, allow_redirects=False) as response:
                if response.status != 200:
                    return None
                body = await response.content.read(PROGRESS_LIMIT + 1)
                while len(body) <= PROGRESS_LIMIT and (more := await response.content.read(PROGRESS_LIMIT)):
                    body += more
            return None if len(body) > PROGRESS_LIMIT else _read(body, source)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _read(body: bytes, source: Source) -> Progress | None:
    try:
        report = Progress.model_validate_json(body)
    except ValueError:
        return None
    return report if (report.uid, report.attempt) == (source.uid, source.attempt) else None


def _gist(report: Progress) -> tuple[object, ...]:
    """What is worth waking the reconciler for."""
    has_checkpoint, is_resumed = report.checkpoint is not None, report.resume is not None
    step = report.step if report.epochs == 0 else None  # of a program that does not say how many epochs it has
    return report.epoch, report.state, has_checkpoint, is_resumed, report.checkpoint_problem, step
