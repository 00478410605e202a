"""Observed -> Plan: the situation, what to write because of it, when to look again. Pure: no client, no clock."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from training_operator import waiting
from training_operator.children import Job
from training_operator.observe import Observed
from training_operator.outcome import Ending, Verdict, judge
from trainingjob_api.status import Reason


class Situation(Enum):
    """Where a TrainingJob stands; everything that is shown follows from it."""

    ELSEWHERE = auto()
    """Another controller's."""
    FINISHED = auto()
    PAUSED = auto()
    """Asked to pause, and no pod is left."""
    WAITING_FOR_PODS = auto()
    """Pods of another attempt must end first: two attempts never overlap."""
    BACKING_OFF = auto()
    BEGINNING = auto()
    """A new attempt's number is written down; its Job follows."""
    CREATING = auto()
    QUEUED = auto()
    ACTIVE = auto()
    """The Job exists and shall run."""
    LATE = auto()
    """The first step is overdue: that is written down before the pods are ended."""
    STOPPING = auto()
    """Pods are ending, whoever told them to."""
    ENDED = auto()
    """The attempt's end is written down."""


@dataclass(frozen=True)
class CreateChildren:
    """The claim, the Service and the Job of the attempt that status counts."""


@dataclass(frozen=True)
class SuspendJob:
    job: Job


@dataclass(frozen=True)
class DeleteJob:
    job: Job


@dataclass(frozen=True)
class DeleteService:
    name: str


Action = CreateChildren | SuspendJob | DeleteJob | DeleteService


@dataclass(frozen=True)
class Plan:
    """What to do and what to show."""

    situation: Situation
    actions: tuple[Action, ...] = ()
    stop: Reason | None = None
    """Why the attempt shall not run on, when it shall not."""
    ending: Ending | None = None
    must_see_pods: bool = False
    """Not to be acted on before the pods were read from the API server itself."""
    look_again: float | None = field(default=None, compare=False)
    """Seconds; None: only when something happens."""


LOOK_WHILE_WAITING = 15.0


def decide(observed: Observed) -> Plan:
    """The plan; nothing to write is the normal answer."""
    plan = _decide(observed)
    return replace(plan, look_again=_look_again(observed, plan))


def _decide(observed: Observed) -> Plan:
    if not observed.spec.is_ours:
        return Plan(Situation.ELSEWHERE)
    if observed.status.is_finished:
        return Plan(Situation.FINISHED, _remains(observed))
    if not observed.attempt_is_open:
        return _between_attempts(observed)
    if observed.attempt_is_over:
        return _after_attempt(observed)
    if observed.current is not None:
        return _during_attempt(observed, observed.current)
    # Without its Job an attempt is over, or never began; with pods that still run it is neither yet.
    return Plan(Situation.STOPPING) if observed.pods else _before_job(observed)


def _between_attempts(observed: Observed) -> Plan:
    if observed.is_past_total_deadline:
        return _out_of_time()
    if observed.leftovers:
        return Plan(Situation.WAITING_FOR_PODS)
    if not observed.spec.wants_to_run:
        return Plan(Situation.PAUSED)
    retry_time = observed.status.retry_time
    if retry_time is not None and observed.now < retry_time:
        return Plan(Situation.BACKING_OFF)
    return Plan(Situation.BEGINNING)


def _before_job(observed: Observed) -> Plan:
    """The number is written down; the Job is not there yet."""
    if observed.is_past_total_deadline:
        return _out_of_time()
    if observed.leftovers:
        return Plan(Situation.WAITING_FOR_PODS)
    if not observed.spec.wants_to_run:
        return Plan(Situation.PAUSED)
    if not observed.pods_are_fresh:
        return Plan(Situation.CREATING, must_see_pods=True)
    return Plan(Situation.CREATING, (CreateChildren(),))


def _during_attempt(observed: Observed, job: Job) -> Plan:
    stop = reason_to_stop(observed)
    if job.is_over or job.is_failing or job.is_being_deleted:
        return Plan(Situation.STOPPING, stop=stop, must_see_pods=job.is_over and not observed.pods_are_fresh)
    if stop is not None:
        return Plan(Situation.STOPPING, () if job.is_suspended else (SuspendJob(job),), stop=stop)
    if job.waits_for_queue:
        return Plan(Situation.QUEUED)
    if job.is_suspended:
        return Plan(Situation.STOPPING)
    if observed.start_deadline is not None and observed.now >= observed.start_deadline:
        return Plan(Situation.LATE, stop=Reason.START_DEADLINE_EXCEEDED)
    return Plan(Situation.ACTIVE, _outdated(observed))


def reason_to_stop(observed: Observed) -> Reason | None:
    """Why the attempt shall not go on."""
    if observed.failure_is_on_record:
        return Reason.START_DEADLINE_EXCEEDED
    if observed.is_past_total_deadline:
        return Reason.DEADLINE_EXCEEDED
    pause = observed.status.pause
    if not observed.spec.wants_to_run or (pause is not None and not pause.resources_released):
        return Reason.PAUSED_BY_USER
    if observed.current is not None and observed.current.digest != observed.digest:
        return Reason.SPEC_CHANGED
    return None


def _after_attempt(observed: Observed) -> Plan:
    if not observed.every_end_is_known and not observed.pods_are_fresh:
        return Plan(Situation.STOPPING, must_see_pods=True)
    stop = reason_to_stop(observed)
    ending = judge(observed.current, observed.ends, stop)
    return Plan(Situation.ENDED, stop=stop, ending=_within_budget(ending, observed))


def _within_budget(ending: Ending, observed: Observed) -> Ending:
    allowed = observed.spec.restart.max_restarts
    if ending.verdict is not Verdict.RETRY or observed.status.restarts < allowed:
        return ending
    return replace(ending, verdict=Verdict.FAIL, spent_budget=True)


def _out_of_time() -> Plan:
    ending = Ending(Reason.DEADLINE_EXCEEDED, Verdict.FAIL, "deadlines.totalSeconds have passed")
    return Plan(Situation.ENDED, stop=Reason.DEADLINE_EXCEEDED, ending=ending)


def _remains(observed: Observed) -> tuple[Action, ...]:
    """What the TTL removes."""
    end = _ttl_end(observed)
    if end is None or observed.now.timestamp() < end:
        return ()
    jobs = (*observed.past, *([observed.current] if observed.current else []))
    service = [DeleteService(observed.status.service)] if observed.status.service else []
    return (*(DeleteJob(job) for job in jobs if not job.is_being_deleted), *service)


def _ttl_end(observed: Observed) -> float | None:
    ttl, end = observed.spec.ttl_seconds_after_finished, observed.status.completion_time
    return end.timestamp() + ttl if ttl is not None and end is not None else None


def _outdated(observed: Observed) -> tuple[Action, ...]:
    """Jobs of earlier attempts, but for the last one that failed: its pod still has the log of the failure."""
    failed = [job for job in observed.past if job.failure is not None]
    return tuple(DeleteJob(job) for job in observed.past if job not in failed[-1:] and not job.is_being_deleted)


def _look_again(observed: Observed, plan: Plan) -> float | None:
    """Seconds until time alone changes the plan or what is shown."""
    moments = _MOMENTS.get(plan.situation, _unless_woken)(observed)
    seconds = [max(0.0, (moment - observed.now).total_seconds()) for moment in moments if moment is not None]
    if plan.situation in _WAITING or observed.lost_nodes or observed.suspect_nodes:
        seconds.append(LOOK_WHILE_WAITING)
    return min(seconds, default=None)


_WAITING = {Situation.STOPPING, Situation.WAITING_FOR_PODS}


def _unless_woken(observed: Observed) -> tuple[datetime | None, ...]:
    return (observed.total_deadline,)


def _finished_moments(observed: Observed) -> tuple[datetime | None, ...]:
    end = _ttl_end(observed)
    due = None if end is None or observed.now.timestamp() >= end else datetime.fromtimestamp(end, observed.now.tzinfo)
    return (due,)


_MOMENTS: dict[Situation, Callable[[Observed], tuple[datetime | None, ...]]] = {
    Situation.ELSEWHERE: lambda observed: (),
    Situation.FINISHED: _finished_moments,
    Situation.BACKING_OFF: lambda observed: (observed.status.retry_time, observed.total_deadline),
    Situation.ACTIVE: lambda observed: (observed.start_deadline, observed.total_deadline, *waiting.moments(observed)),
}
