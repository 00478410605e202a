"""Observed -> Plan: the situation, what to write because of it. Pure: no client, no clock."""

from dataclasses import dataclass, replace

from training_operator import deadlines
from training_operator.children import Job
from training_operator.observe import Observed
from training_operator.outcome import Ending, Verdict, judge
from training_operator.situation import Situation
from trainingjob_api.status import Reason


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


def decide(observed: Observed) -> Plan:
    """The plan; nothing to write is the normal answer."""
    attempt = observed.attempt
    if not observed.spec.is_ours:
        return Plan(Situation.ELSEWHERE)
    if observed.status.is_finished:
        return Plan(Situation.FINISHED, _remains(observed))
    if not attempt.is_open:
        return _between_attempts(observed)
    if attempt.is_over:
        return _after_attempt(observed)
    if attempt.job is not None:
        return _during_attempt(observed, attempt.job)
    # Without its Job an attempt is over, or never began; with pods that still run it is neither yet.
    return Plan(Situation.STOPPING) if attempt.pods else _before_job(observed)


def _between_attempts(observed: Observed) -> Plan:
    if deadlines.has_passed(deadlines.total(observed), observed):
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
    if deadlines.has_passed(deadlines.total(observed), observed):
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
    if deadlines.has_passed(deadlines.first_step(observed), observed):
        return Plan(Situation.LATE, stop=Reason.START_DEADLINE_EXCEEDED)
    return Plan(Situation.ACTIVE, _outdated(observed))


def reason_to_stop(observed: Observed) -> Reason | None:
    """Why the attempt shall not go on."""
    if observed.failure_is_on_record:
        return Reason.START_DEADLINE_EXCEEDED
    if deadlines.has_passed(deadlines.total(observed), observed):
        return Reason.DEADLINE_EXCEEDED
    pause = observed.status.pause
    if not observed.spec.wants_to_run or (pause is not None and not pause.resources_released):
        return Reason.PAUSED_BY_USER
    if observed.attempt.job is not None and observed.attempt.job.digest != observed.digest:
        return Reason.SPEC_CHANGED
    return None


def _after_attempt(observed: Observed) -> Plan:
    if not observed.attempt.every_end_is_known and not observed.pods_are_fresh:
        return Plan(Situation.STOPPING, must_see_pods=True)
    stop = reason_to_stop(observed)
    ending = judge(observed.attempt.job, observed.attempt.ends, stop)
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
    if not deadlines.has_passed(deadlines.removal(observed), observed):
        return ()
    jobs = (*observed.past, *([observed.attempt.job] if observed.attempt.job else []))
    service = [DeleteService(observed.status.service)] if observed.status.service else []
    return (*(DeleteJob(job) for job in jobs if not job.is_being_deleted), *service)


def _outdated(observed: Observed) -> tuple[Action, ...]:
    """Jobs of earlier attempts, but for the last one that failed: its pod still has the log of the failure."""
    failed = [job for job in observed.past if job.failure is not None]
    return tuple(DeleteJob(job) for job in observed.past if job not in failed[-1:] and not job.is_being_deleted)
