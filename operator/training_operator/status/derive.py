"""Observed + Plan -> the whole status. Pure; written only when it differs."""

from datetime import datetime, timedelta
from typing import Literal

from training_operator.builders.claim import claim_name
from training_operator.builders.service import service_name
from training_operator.observe import Observed
from training_operator.obstacle import Obstacle
from training_operator.outcome import Ending, Verdict
from training_operator.plan import DeleteService, Plan
from training_operator.records import Unreadable
from training_operator.situation import Situation
from training_operator.status import reported
from training_operator.status.conditions import conditions_of
from training_operator.status.summary import summary_of
from trainingjob_api.contract import attempt_name
from trainingjob_api.progress import Progress, State
from trainingjob_api.status import (
    Condition,
    ConditionType,
    FailureStatus,
    JobReference,
    PauseStatus,
    Reason,
    TrainingJobStatus,
)


def derive(observed: Observed, plan: Plan, met: Obstacle | None = None) -> TrainingJobStatus:
    """The status that should be there.

    A report alone changes it only when it is news and due; names and UIDs of children wait for the next change.
    """
    quiet = _derive(observed, plan, met, observed.status)
    report = observed.attempt.report if plan.situation is Situation.ACTIVE else None
    is_due = report is not None and _is_due(observed.status, report, observed.now)
    if not is_due and same(quiet, observed.status):
        return observed.status
    status = _with_children(observed)
    return _derive(observed, plan, met, reported.absorb(status, report, observed.now) if report else status)


def same(one: TrainingJobStatus, other: TrainingJobStatus) -> bool:
    """Whether writing the one over the other would change nothing."""
    return one.to_json_object() == other.to_json_object()


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


def _derive(observed: Observed, plan: Plan, met: Obstacle | None, status: TrainingJobStatus) -> TrainingJobStatus:
    status = _with_transition(status, observed, plan)
    summary = summary_of(observed, plan, status, met)
    return status.model_copy(
        update={
            "observed_generation": observed.job.metadata.generation,
            "phase": summary.phase,
            "conditions": conditions_of(observed, status, summary),
        }
    )


def _with_children(observed: Observed) -> TrainingJobStatus:
    """Names what belongs to the attempt: the Job is made last, so where it is, all the others are."""
    status, job = observed.status, observed.attempt.job
    if job is None or status.job is None:
        return status
    template = observed.spec.checkpoint.volume.claim_template
    return status.model_copy(
        update={
            "job": status.job.model_copy(update={"uid": job.uid}),
            "service": service_name(observed.job) if observed.spec.nodes > 1 else status.service,
            "volume_claim": claim_name(observed.job) if template else status.volume_claim,
        }
    )


def _with_transition(status: TrainingJobStatus, observed: Observed, plan: Plan) -> TrainingJobStatus:
    match plan.situation:
        case Situation.BEGINNING:
            return _begun(status, observed)
        case Situation.STOPPING if plan.stop is Reason.PAUSED_BY_USER:
            return _pausing(status, observed.now)
        case Situation.PAUSED:
            return _paused_without_attempt(status, observed)
        case Situation.FINISHED if any(isinstance(action, DeleteService) for action in plan.actions):
            return status.model_copy(update={"service": None})
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
    last_word = ending.progress or observed.attempt.report
    if last_word is not None:
        status = reported.absorb(status, last_word, observed.now)
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
    if told is not None and told.state is State.RUNNING:
        update["evidence"] = "PodReport"  # the pods have said that nobody knows
    elif told is not None:
        saved = told.checkpoint
        update |= {
            "saved_step": saved.step if saved else None,
            "saved_time": saved.save_time if saved else None,
            "lost_steps": max(0, told.step - (saved.step if saved else 0)),
            "evidence": "PodReport",
        }
    elif ending.was_saved:
        kept = observed.status.checkpoint
        # The code alone says little of a program of one's own that has told of no checkpoint: it may report nothing.
        is_known = kept is not None or observed.spec.script is None
        update |= {
            "saved_step": kept.step if kept else None,
            "saved_time": kept.save_time if kept else None,
            "lost_steps": 0 if is_known else None,
            "evidence": ending.evidence or "PodReport",
        }
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
    began = observed.attempt.job.metadata.creation_timestamp if observed.attempt.job else None
    if began is None or ending.reason is Reason.SPEC_CHANGED:
        return None
    earliest = began + timedelta(seconds=observed.spec.restart.backoff_seconds)
    return earliest if earliest > observed.now else None
