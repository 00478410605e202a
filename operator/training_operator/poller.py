"""Asks rank 0 of every running attempt for its progress; a convenience that nothing depends on.

However many pods are silent, those that answer are asked as often as ever: who is waited for stands in another queue.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from training_operator.asking import Source
from training_operator.attempt import Heard
from training_operator.records import Key
from trainingjob_api.progress import Progress

AT_ONCE = 16
"""Pods of each lane that are asked at the same time."""
SLOWEST = 30.0
EAGER_SECONDS = 15.0
"""After the start rank 0 is asked every second until it answers."""
SILENCE = 60.0
"""Without an answer for so long, the pod cannot be reached from here."""
SOONEST = 1.0
"""A training is asked when it expects to be over, and from then on as often as this: it may wait until it is heard."""
RAREST = 120.0
"""A silent pod is asked after half the time that it has been silent, and at least this often."""

Ask = Callable[[Source, float], Awaitable[Progress | None]]
"""Asks once, and waits at most so many seconds."""
OnReport = Callable[[Key, Source, Progress], Awaitable[None]]
"""Is told every answer, before the pod is asked again."""


class Lane(Enum):
    """Pods that are asked side by side; a pod is put by what the last question took. Seconds that one may take."""

    NEW = "never asked", 1.0
    QUICK = "answered or refused at once", 1.0
    SLOW = "not within a second", 3.0

    @property
    def patience(self) -> float:
        return self.value[1]


@dataclass
class _Following:
    source: Source
    task: asyncio.Task[None]
    heard: float
    """When it answered last; before it has, since when it is asked."""
    report: Progress | None = None
    lane: Lane = Lane.NEW


class Poller:
    """Follows one source per key."""

    def __init__(
        self,
        seconds: float,
        ask: Ask,
        on_report: OnReport,
        on_news: Callable[[Key], None],
        on_silence: Callable[[Key], None],
    ) -> None:
        self._seconds, self._ask, self._on_report = seconds, ask, on_report
        self._on_news, self._on_silence = on_news, on_silence
        self._following: dict[Key, _Following] = {}
        self._slots = {lane: asyncio.Semaphore(AT_ONCE) for lane in Lane}

    def follow(self, key: Key, source: Source) -> None:
        """Begin asking, or go on."""
        known = self._following.get(key)
        if known is not None and known.source == source:
            return
        self.leave(key)
        task = asyncio.create_task(self._follow(key), name=f"progress of {key[0]}/{key[1]}")
        self._following[key] = _Following(source, task, _now())

    def leave(self, key: Key) -> None:
        if following := self._following.pop(key, None):
            following.task.cancel()

    def leave_all(self) -> None:
        for key in list(self._following):
            self.leave(key)

    def report(self, key: Key) -> Heard | None:
        """The newest word."""
        following = self._following.get(key)
        if following is None or following.report is None:
            return None
        return Heard(following.report, _now() - following.heard)

    async def _follow(self, key: Key) -> None:
        following, began, was_told = self._following[key], _now(), False
        while True:
            report = await self._ask_in_turn(following)
            if report is not None:
                following.heard, was_told = _now(), False
                self._take(key, following, report)
                await self._on_report(key, following.source, report)
            elif not was_told and _now() - following.heard >= SILENCE:
                was_told = True
                self._on_silence(key)
            await asyncio.sleep(self._pause(following, report, began))

    async def _ask_in_turn(self, following: _Following) -> Progress | None:
        lane = following.lane
        async with self._slots[lane]:
            asked = _now()
            report = await self._ask(following.source, lane.patience)
        following.lane = Lane.QUICK if _now() - asked < Lane.QUICK.patience else Lane.SLOW
        return report

    def _take(self, key: Key, following: _Following, report: Progress) -> None:
        before, following.report = following.report, report
        if before is None or _gist(before) != _gist(report):
            self._on_news(key)

    def _pause(self, following: _Following, answer: Progress | None, began: float) -> float:
        """Seconds until the next question: often enough to see every epoch of a usual length."""
        if following.report is None and following.lane is Lane.QUICK and _now() - began < EAGER_SECONDS:
            return min(1.0, self._seconds)
        report = following.report
        latest = report.latest if report and not report.finishing else None
        epoch = latest.seconds_per_epoch if latest and latest.seconds_per_epoch else 0.0
        silent = _now() - following.heard
        usual = max(self._seconds, min(SLOWEST, epoch / 10), min(RAREST, silent / 2))
        ends = answer.seconds_remaining if answer else None
        return usual if ends is None else min(usual, max(SOONEST, ends))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _gist(report: Progress) -> tuple[object, ...]:
    """What is worth waking the reconciler for."""
    has_checkpoint, is_resumed = report.checkpoint is not None, report.resume is not None
    step = report.step if report.epochs == 0 else None  # of a program that does not say how many epochs it has
    doing = report.state, str(report.finishing)
    return report.epoch, doing, has_checkpoint, is_resumed, report.checkpoint_problem, step
