"""Observed -> Plan: the situation, what to write because of it. Pure: no client, no clock."""

from dataclasses import dataclass, replace

from training_operator import deadlines
from training_operator.children import Job
from training_operator.observe import Observed
from training_operator.outcome import Ending, Verdict, judge
from training_operator.situation import Situation
from trainingjob_api.status import ConditionType, Reason


@dataclass(frozen=True)
class CreateChildren:
    """The claim, the Service and the Job of the attempt that status counts."""


@dataclass(frozen=True)
class SuspendJob:
    job: Job
    reason: str
    """Is written on it: a Job that is suspended without one was suspended by somebody else."""


@dataclass(frozen=True)
class DeleteJob:
    job: Job
    is_certain: bool = True
    """False: only if the TrainingJob is still the one that was seen, or the Job may be a newer attempt's."""


@dataclass(frozen=True)
class DeleteService:
    name: str


Action = CreateChildren | SuspendJob | DeleteJob | DeleteService


@dataclass(frozen=True)
class Plan:
    """What to do and what to show."""

    situation: Situation
    actions: tuple[Action, ...] = ()
    stop: str | None = None
    """Why the attempt shall not run on, when it shall not."""
    ending: Ending | None = None
    must_see_pods: bool = False
    """Not to be acted on before the pods were read from the API server itself."""


def decide(observed: Observed) -> Plan:
    """The plan; nothing to write is the normal answer."""
    if not observed.spec.is_ours:
        return Plan(Situation.ELSEWHERE)
    plan = _decide(observed)
    return plan if plan.must_see_pods else replace(plan, actions=(*plan.actions, *_unwanted(observed, plan.actions)))


def _decide(observed: Observed) -> Plan:
    attempt = observed.attempt
    if observed.status.is_finished:
        return Plan(Situation.FINISHED, _remains(observed))
    if not attempt.is_open:
        return _between_attempts(observed)
    if attempt.is_over:
        # What cannot be read may still run.
        return Plan(Situation.STOPPING) if observed.unreadable else _after_attempt(observed)
    if attempt.job is not None:
        return _during_attempt(observed, attempt.job)
    # Without its Job an attempt is over, or never began; with pods that still run it is neither yet.
    return Plan(Situation.STOPPING, stop=reason_to_stop(observed)) if attempt.pods else _before_job(observed)


def _between_attempts(observed: Observed) -> Plan:
    if deadlines.has_passed(deadlines.total(observed), observed):
        return _out_of_time(observed)
    if observed.live_pods or observed.makes_pods:
        return Plan(Situation.WAITING_FOR_PODS)
    if not observed.spec.wants_to_run:
        return Plan(Situation.PAUSED)
    if observed.problem is not None:
        return Plan(Situation.UNREADABLE)
    retry_time = observed.status.retry_time
    if retry_time is not None and observed.now < retry_time:
        return Plan(Situation.BACKING_OFF)
    return Plan(Situation.BEGINNING)


def _before_job(observed: Observed) -> Plan:
    """The number is written down; the Job is not there: not yet, or not any more, and its pods may be still unseen."""
    is_first = observed.attempt.number == 1 and observed.is_alone
    if not is_first and not observed.pods_are_fresh:
        return Plan(Situation.CREATING, must_see_pods=True)
    if deadlines.has_passed(deadlines.total(observed), observed):
        return _out_of_time(observed)
    if observed.leftovers or observed.makes_pods:
        return Plan(Situation.WAITING_FOR_PODS)
    if not observed.spec.wants_to_run:
        return Plan(Situation.PAUSED)
    if observed.problem is not None:
        return Plan(Situation.UNREADABLE)
    if observed.status.is_true(ConditionType.SUSPENDED):
        return Plan(Situation.BEGINNING)  # whose record says that it is suspended no more, before there are pods
    return Plan(Situation.CREATING, (CreateChildren(),))


def _during_attempt(observed: Observed, job: Job) -> Plan:
    stop = reason_to_stop(observed)
    if job.is_over or job.is_failing or job.is_being_deleted:
        return Plan(Situation.STOPPING, stop=stop, must_see_pods=job.is_over and not observed.pods_are_fresh)
    if stop is not None:
        return Plan(Situation.STOPPING, _stop(job, stop), stop=stop)
    if job.is_held:
        return Plan(Situation.QUEUED)
    if deadlines.has_passed(deadlines.lingering(observed), observed):
        return Plan(Situation.STOPPING, _stop(job, Reason.CONTAINER_LEFT), stop=Reason.CONTAINER_LEFT)
    if deadlines.has_passed(deadlines.placement(observed), observed):
        return Plan(Situation.LATE, stop=Reason.PARTLY_PLACED)
    if deadlines.has_passed(deadlines.first_step(observed), observed):
        return Plan(Situation.LATE, stop=Reason.START_DEADLINE_EXCEEDED)
    return Plan(Situation.ACTIVE, _outdated(observed))


def _stop(job: Job, reason: str) -> tuple[Action, ...]:
    """Suspend it; delete it where somebody else suspends and unsuspends it as well."""
    if job.is_suspended and not job.is_held:
        return ()
    if job.is_held or job.is_in_queue or job.stopped_for is not None:
        return (DeleteJob(job),)
    return (SuspendJob(job, reason),)


def reason_to_stop(observed: Observed) -> str | None:
    """Why the attempt shall not go on."""
    job, pause = observed.attempt.job, observed.status.pause
    if observed.recorded_failure is not None:
        return observed.recorded_failure
    if deadlines.has_passed(deadlines.total(observed), observed):
        return Reason.DEADLINE_EXCEEDED
    if not observed.spec.wants_to_run or (pause is not None and not pause.resources_released):
        return Reason.PAUSED_BY_USER
    if job is not None and job.stopped_for is not None:
        return job.stopped_for
    if job is not None and job.digest and job.digest != observed.digest and observed.problem is None:
        return Reason.SPEC_CHANGED
    return None


def _after_attempt(observed: Observed) -> Plan:
    if not observed.attempt.every_end_is_known and not observed.pods_are_fresh:
        return Plan(Situation.STOPPING, must_see_pods=True)
    stop = reason_to_stop(observed)
    ending = judge(observed.attempt, stop)
    return Plan(Situation.ENDED, stop=stop, ending=_within_budget(_not_in_vain(ending, observed), observed))


def _not_in_vain(ending: Ending, observed: Observed) -> Ending:
    """Memory that was too little twice, with nothing saved in between, is too little a third time."""
    status, last = observed.status, observed.status.last_failure
    if ending.verdict is not Verdict.RETRY or ending.reason != Reason.OUT_OF_MEMORY or observed.was_fruitful:
        return ending
    if last is None or last.reason != Reason.OUT_OF_MEMORY or last.attempt != status.attempt - 1:
        return ending
    if status.pause is not None and status.pause.request_time >= last.time:
        return ending  # since then the pod may have got more
    words = f"{ending.message}. The attempt before ended alike at the same place: a third would too"
    return replace(ending, verdict=Verdict.FAIL, message=words)


def _within_budget(ending: Ending, observed: Observed) -> Ending:
    allowed = observed.spec.restart.max_restarts
    if ending.verdict is not Verdict.RETRY or deadlines.spent_restarts(observed) < allowed:
        return ending
    return replace(ending, verdict=Verdict.FAIL, spent_budget=True)


def _out_of_time(observed: Observed) -> Plan:
    ending = Ending(Reason.DEADLINE_EXCEEDED, Verdict.FAIL)
    return Plan(Situation.ENDED, stop=Reason.DEADLINE_EXCEEDED, ending=ending)


def _remains(observed: Observed) -> tuple[Action, ...]:
    """What the TTL removes."""
    if not deadlines.has_passed(deadlines.removal(observed), observed):
        return ()
    service = [DeleteService(observed.status.service)] if observed.status.service else []
    return (*(DeleteJob(job) for job in observed.others if not job.is_being_deleted), *service)


def _outdated(observed: Observed) -> tuple[Action, ...]:
    """Jobs of earlier attempts, but for the last one that failed: its pod still has the log of the failure."""
    past = [job for job in observed.others if job.attempt < observed.status.attempt]
    failed = [job for job in past if job.failure is not None]
    return tuple(DeleteJob(job) for job in past if job not in failed[-1:] and not job.is_being_deleted)


def _unwanted(observed: Observed, planned: tuple[Action, ...]) -> tuple[Action, ...]:
    """Jobs outside the open attempt that may still make pods."""
    planned_for = [action.job for action in planned if isinstance(action, DeleteJob)]
    unwanted = [job for job in observed.others if job.is_unwanted and job not in planned_for]
    return tuple(DeleteJob(job, is_certain=job.attempt <= observed.status.attempt) for job in unwanted)
