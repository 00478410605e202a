"""What changes of status tell about all TrainingJobs together: who is in which phase and for how long, pauses, losses.

Reads what the store has taken in, so a change counts once whoever wrote it. What had already been so when this operator
began to look is known, but not counted.
"""

import time
from collections import Counter as Count
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from training_operator.metrics import catalogue
from training_operator.metrics.declared import counter, histogram
from training_operator.records import Key
from trainingjob_api.status import Phase, TrainingJobStatus

_MINUTE, _HOUR = 60, 3600
_STAYS = (1, 5, 15, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, 24 * _HOUR)
_PAUSES = (1, 2, 5, 10, 20, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE)
_ENDS = {Phase.SUCCEEDED, Phase.FAILED}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the next change of a TrainingJob is compared with."""

    uid: str
    phase: str
    since: float | None
    """Since when it has been in its phase; None: since before it was first seen."""
    step: int
    told_by: int
    """The attempt that reported that step."""
    told_at: datetime | None
    pause_is_open: bool


def first_look(uid: str, status: TrainingJobStatus) -> Seen:
    return _look(uid, status, since=None, told_by=status.attempt)


def _look(uid: str, status: TrainingJobStatus, since: float | None, told_by: int) -> Seen:
    progress, pause = status.progress, status.pause
    return Seen(
        uid=uid,
        phase=status.phase,
        since=since,
        step=progress.step if progress else 0,
        told_by=told_by,
        told_at=progress.update_time if progress else None,
        pause_is_open=pause is not None and not pause.resources_released,
    )


def lost_steps(before: Seen, status: TrainingJobStatus) -> int:
    """Steps that were reported and will be done again; known once an attempt tells where it went on from."""
    progress = status.progress
    if progress is None or progress.update_time == before.told_at or before.told_by == status.attempt:
        return 0
    return max(0, before.step - (status.resume.from_step if status.resume else 0))


def pause_seconds(before: Seen, status: TrainingJobStatus) -> float | None:
    """From the wish to pause to the last pod's end, once that is there."""
    pause = status.pause
    if pause is None or pause.completed_time is None or not before.pause_is_open:
        return None
    return (pause.completed_time - pause.request_time).total_seconds()


class Fleet:
    """All TrainingJobs that exist."""

    def __init__(
        self,
        registry: CollectorRegistry,
        is_leading: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """is_leading: only then is anything counted; what happens is followed all the same."""
        self._is_leading, self._clock, self._seen = is_leading, clock, dict[Key, Seen]()
        self._phases, self._advanced = Count[str](), clock()
        self._seconds: Counter = counter(catalogue.PHASE_SECONDS, registry)
        self._stays: Histogram = histogram(catalogue.PHASE_DURATION, _STAYS, registry)
        for phase in set(Phase) - _ENDS:  # from 0 on, as rates want it
            self._seconds.labels(phase.value)
            self._stays.labels(phase.value)
        self._pauses: Histogram = histogram(catalogue.PAUSE_DURATION, _PAUSES, registry)
        self._lost: Counter = counter(catalogue.LOST_STEPS, registry)

    def show(self, key: Key, uid: str, status: TrainingJobStatus) -> None:
        """A TrainingJob is there, or has changed."""
        before = self._seen.get(key)
        if before is None or before.uid != uid:
            self._replace(key, first_look(uid, status))
            return
        if self._is_leading():
            self._count(before, status)
        is_told = status.progress is not None and status.progress.update_time != before.told_at
        since = before.since if status.phase == before.phase else self._clock()
        self._replace(key, _look(uid, status, since, status.attempt if is_told else before.told_by))

    def forget(self, key: Key) -> None:
        """It is gone."""
        self._replace(key, None)

    def advance(self) -> None:
        """Brings the time spent in phases up to now."""
        now = self._clock()
        seconds, self._advanced = now - self._advanced, now
        for phase, jobs in self._phases.items() if self._is_leading() else ():
            if phase not in _ENDS:
                self._seconds.labels(phase).inc(jobs * seconds)

    def by_phase(self) -> dict[str, int]:
        """How many are in each phase, the empty ones too."""
        return {**{phase.value: 0 for phase in Phase}, **+self._phases}

    def _replace(self, key: Key, seen: Seen | None) -> None:
        known = self._seen.pop(key, None)
        if seen is not None:
            self._seen[key] = seen
        if known is None or seen is None or known.phase != seen.phase:
            self.advance()
            self._phases.subtract([known.phase] if known else ())
            self._phases.update([seen.phase] if seen else ())

    def _count(self, before: Seen, status: TrainingJobStatus) -> None:
        if status.phase != before.phase and before.since is not None:
            self._stays.labels(before.phase).observe(self._clock() - before.since)
        if (seconds := pause_seconds(before, status)) is not None:
            self._pauses.observe(seconds)
        if lost := lost_steps(before, status):
            self._lost.inc(lost)
