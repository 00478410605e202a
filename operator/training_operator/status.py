"""Observed + Plan -> the whole status. Pure; written only when it differs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from training_operator import reported
from training_operator.conditions import conditions_of
from training_operator.observe import Observed
from training_operator.outcome import Ending, Verdict
from training_operator.plan import DeleteService, Plan, Situation
from training_operator.store import Unreadable
from training_operator.stories import story_of
from training_operator.trouble import Trouble
from trainingjob_api.contract import attempt_name
from trainingjob_api.progress import Progress
from trainingjob_api.status import (
    Condition,
    ConditionType,
    FailureStatus,
    JobReference,
    PauseStatus,
    Reason,
    TrainingJobStatus,
)


@dataclass(frozen=True)
class Made:
    """What this pass created; it is written down with the next status."""

    service: str | None = None
    volume_claim: str | None = None


def derive(
    observed: Observed, plan: Plan, trouble: Trouble | None = None, made: Made | None = None
) -> TrainingJobStatus:
    """The status that should be there; a report alone changes it only when it is news and due."""
    made = made or Made()
    quiet = _derive(observed, plan, trouble, made, None)
    report = observed.report
    if report is None or plan.situation is not Situation.ACTIVE:
        return quiet
    if quiet == observed.status and not _is_due(observed.status, report, observed.now):
        return quiet
    return _derive(observed, plan, trouble, made, report)


def seconds_until_due(observed: Observed) -> float | None:
    """When a report that is news may be written; None: there is none that waits."""
    report, due = observed.report, reported.due_time(observed.status)
    if report is None or due is None or not reported.is_news(observed.status, report):
        return None
    return max(0.0, (due - observed.now).total_seconds())


def refusal(job: Unreadable, now: datetime) -> TrainingJobStatus | None:
    """The status of an object that cannot be read; None when nothing can or need be said."""
    status = job.status
    if status is None or status.is_finished:
        return None
    told: dict[ConditionType, tuple[Literal["True", "False"], Reason, str]] = {
        ConditionType.READY: ("False", Reason.INVALID_SPEC, job.problem),
        ConditionType.RECONCILING: ("False", Reason.INVALID_SPEC, ""),
        ConditionType.STALLED: ("True", Reason.INVALID_SPEC, job.problem),
    }
    others = [condition for condition in status.conditions if condition.type not in told]
    changed = [_refused(type, *words, status, job.generation, now) for type, words in told.items()]
    return status.model_copy(update={"observed_generation": job.generation, "conditions": [*changed, *others]})


def _refused(
    type: ConditionType,
    word: Literal["True", "False"],
    reason: Reason,
    message: str,
    status: TrainingJobStatus,
    generation: int,
    now: datetime,
) -> Condition:
    before = status.condition(type)
    return Condition(
        type=type,
        status=word,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and before.status == word else now,
        reason=reason,
        message=message[:4096],
    )


def _is_due(status: TrainingJobStatus, report: Progress, now: datetime) -> bool:
    due = reported.due_time(status)
    return reported.is_news(status, report) and (due is None or now >= due)


def _derive(
    observed: Observed, plan: Plan, trouble: Trouble | None, made: Made, report: Progress | None
) -> TrainingJobStatus:
    status = _with_children(observed, plan, made)
    if report is not None:
        status = reported.absorb(status, report, observed.now)
    status = _with_transition(status, observed, plan)
    story = story_of(observed, plan, status, trouble)
    return status.model_copy(
        update={
            "observed_generation": observed.job.metadata.generation,
            "phase": story.phase,
            "conditions": conditions_of(observed, status, story),
        }
    )


def _with_children(observed: Observed, plan: Plan, made: Made) -> TrainingJobStatus:
    """The Job's UID as soon as anything is written after it was seen; names of what else was made."""
    status = observed.status
    service = None if any(isinstance(a, DeleteService) for a in plan.actions) else made.service or status.service
    update: dict[str, object] = {"service": service, "volume_claim": made.volume_claim or status.volume_claim}
    # Alone, the UID is not worth a write: it goes with the next one.
    if observed.current is not None and status.job is not None and plan.situation is not Situation.CREATING:
        started = observed.has_started or plan.situation is not Situation.ACTIVE
        uid = observed.current.uid if started else status.job.uid
        update["job"] = status.job.model_copy(update={"uid": uid})
    return status.model_copy(update=update)


def _with_transition(status: TrainingJobStatus, observed: Observed, plan: Plan) -> TrainingJobStatus:
    match plan.situation:
        case Situation.BEGINNING:
            return _begun(status, observed)
        case Situation.STOPPING if plan.stop is Reason.PAUSED_BY_USER:
            return _pausing(status, observed.now)
        case Situation.PAUSED:
            return _paused_without_attempt(status, observed)
        case Situation.LATE:
            return status.model_copy(update={"last_failure": _late(observed)})
        case Situation.ENDED if plan.ending is not None:
            return _ended(status, observed, plan.ending)
    return status


def _begun(status: TrainingJobStatus, observed: Observed) -> TrainingJobStatus:
    attempt = status.attempt + 1
    return status.model_copy(
        update={
            "attempt": attempt,
            "job": JobReference(name=attempt_name(observed.name, attempt)),
            "start_time": status.start_time or observed.now,
            "retry_time": None,
            "resume": None,
        }
    )


def _pausing(status: TrainingJobStatus, now: datetime) -> TrainingJobStatus:
    if status.pause is not None and not status.pause.resources_released:
        return status
    return status.model_copy(update={"pause": PauseStatus(request_time=now, resources_released=False)})


def _paused_without_attempt(status: TrainingJobStatus, observed: Observed) -> TrainingJobStatus:
    """Nothing runs that could save: what is on disk is what the last attempt left."""
    if status.is_true(ConditionType.SUSPENDED):
        return status
    checkpoint = status.checkpoint
    pause = PauseStatus(
        request_time=observed.now,
        saved_step=checkpoint.step if checkpoint else None,
        saved_time=checkpoint.save_time if checkpoint else None,
        resources_released=True,
        completed_time=observed.now,
        evidence="PodReport" if checkpoint else None,
    )
    return status.model_copy(update={"pause": pause, "retry_time": None})


def _late(observed: Observed) -> FailureStatus:
    seconds = observed.spec.deadlines.start_seconds
    return FailureStatus(
        attempt=observed.status.attempt,
        reason=Reason.START_DEADLINE_EXCEEDED,
        message=f"No first step within deadlines.startSeconds ({seconds} s)",
        time=observed.now,
    )


def _ended(status: TrainingJobStatus, observed: Observed, ending: Ending) -> TrainingJobStatus:
    if ending.progress is not None:
        status = reported.absorb(status, ending.progress, observed.now)
    update: dict[str, object] = {"retry_time": None}
    if status.job is not None and status.job.end is None:
        unsaved = ending.verdict is Verdict.PAUSE and ending.was_saved is False
        end = Reason.GRACE_EXCEEDED if unsaved else ending.reason
        update["job"] = status.job.model_copy(update={"end": end})
    if (pause := _open_pause(status, observed)) is not None:
        update["pause"] = _pause_completed(pause, observed, ending)
    if ending.verdict in (Verdict.RETRY, Verdict.FAIL, Verdict.REPLACE) and not observed.failure_is_on_record:
        update["last_failure"] = _failure(observed, ending)
    if ending.verdict in (Verdict.COMPLETE, Verdict.FAIL):
        update["completion_time"] = observed.now
    if ending.verdict is Verdict.RETRY:
        update |= {"restarts": status.restarts + 1, "retry_time": observed.now + _backoff(observed)}
    if ending.verdict in (Verdict.REPLACE, Verdict.CONTINUE):
        update["retry_time"] = _not_too_soon(observed, ending)
    if ending.verdict is Verdict.REPLACE:
        update["disruptions"] = status.disruptions + 1
    return status.model_copy(update=update)


def _open_pause(status: TrainingJobStatus, observed: Observed) -> PauseStatus | None:
    """The pause that this end completes, if one was asked for."""
    if status.pause is not None and not status.pause.resources_released:
        return status.pause
    return None if observed.spec.wants_to_run else PauseStatus(request_time=observed.now, resources_released=False)


def _pause_completed(pause: PauseStatus, observed: Observed, ending: Ending) -> PauseStatus:
    """What the pause saved, as far as the pods told."""
    update: dict[str, object] = {"resources_released": True, "completed_time": observed.now}
    told = ending.progress
    if told is not None:
        saved = told.checkpoint
        update |= {
            "saved_step": saved.step if saved else None,
            "saved_time": saved.save_time if saved else None,
            "lost_steps": max(0, told.step - (saved.step if saved else 0)),
            "evidence": "PodReport",
        }
    elif ending.was_saved:
        update |= {"lost_steps": 0, "evidence": ending.evidence or "PodReport"}
    return pause.model_copy(update=update)


def _failure(observed: Observed, ending: Ending) -> FailureStatus:
    return FailureStatus(
        attempt=observed.status.attempt,
        reason=ending.reason,
        message=ending.message[:4096],
        exit_code=ending.exit_code,
        pod=ending.pod,
        time=ending.time or observed.now,
        evidence=ending.evidence,
    )


def _backoff(observed: Observed) -> timedelta:
    restart = observed.spec.restart
    doubled = restart.backoff_seconds * 2 ** min(observed.status.restarts, 20)
    return timedelta(seconds=min(restart.max_backoff_seconds, doubled))


def _not_too_soon(observed: Observed, ending: Ending) -> datetime | None:
    """At once, unless the attempt hardly lived: what ends every attempt as it begins must not make a hot loop."""
    began = observed.current.metadata.creation_timestamp if observed.current else None
    if began is None or ending.reason is Reason.SPEC_CHANGED:
        return None
    earliest = began + timedelta(seconds=observed.spec.restart.backoff_seconds)
    return earliest if earliest > observed.now else None
