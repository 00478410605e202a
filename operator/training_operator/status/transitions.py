"""What a pass makes of an attempt: begun, pausing, paused, late, ended, and what that leaves in status. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from training_operator import deadlines, obstacle
from training_operator.observe import Observed
from training_operator.outcome import Ending, Verdict, last_progress
from training_operator.plan import DeleteService, Plan
from training_operator.situation import Situation
from training_operator.status import reported
from trainingjob_api.contract import attempt_name
from trainingjob_api.progress import Progress, State
from trainingjob_api.status import (
    ConditionType,
    FailureStatus,
    JobReference,
    PauseStatus,
    Reason,
    TrainingJobStatus,
)


def with_transition(status: TrainingJobStatus, observed: Observed, plan: Plan) -> TrainingJobStatus:
    """The status after what this pass records."""
    match plan.situation:
        case Situation.BEGINNING:
            return _begun(status, observed)
        case Situation.STOPPING if plan.stop == Reason.PAUSED_BY_USER:
            return _pausing(status, observed.now)
        case Situation.PAUSED:
            return _paused_without_attempt(status, observed)
        case Situation.QUEUED:
            return _queued(status, observed)
        case Situation.ACTIVE if deadlines.has_passed(deadlines.reset(observed), observed):
            return status.model_copy(update={"recent_restarts": 0, "fruitless_attempts": 0})
        case Situation.FINISHED if any(isinstance(action, DeleteService) for action in plan.actions):
            return status.model_copy(update={"service": None})
        case Situation.LATE:
            return status.model_copy(update={"last_failure": _late(observed, plan)})
        case Situation.ENDED if plan.ending is not None:
            return _ended(status, observed, plan.ending)
    return status


def _begun(status: TrainingJobStatus, observed: Observed) -> TrainingJobStatus:
    attempt = status.attempt + 1
    return status.model_copy(
        update={
            "attempt": attempt,
            "nodes": observed.spec.nodes,
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
    """Nothing runs that could save: what is on disk is what the last attempt left.

    An attempt whose Job was never made ends here: the resume begins with a number of its own, and with it says
    that the job is no longer suspended before any pod is made. That it was never made nobody can be sure of: it may
    have run and be deleted while no operator was there.
    """
    was_open = status.job is not None and status.job.end is None
    if status.job is not None and was_open:
        status = status.model_copy(update={"job": status.job.model_copy(update={"end": Reason.PAUSED_BY_USER})})
    if status.is_true(ConditionType.SUSPENDED):
        return status
    checkpoint = status.checkpoint
    pause = PauseStatus(
        request_time=observed.now,
        saved_step=checkpoint.step if checkpoint else None,
        saved_time=checkpoint.save_time if checkpoint else None,
        resources_released=True,
        completed_time=observed.now,
        evidence="PodReport" if checkpoint and not was_open else None,
    )
    return status.model_copy(update={"pause": pause, "retry_time": None})


def _queued(status: TrainingJobStatus, observed: Observed) -> TrainingJobStatus:
    """What the pods said before the queue took their place from them."""
    word = last_progress(observed.attempt.earlier_ends)
    if word is None or (status.progress is not None and status.progress.step >= word.step):
        return status
    return reported.absorb(status, word, observed.now)


def _late(observed: Observed, plan: Plan) -> FailureStatus:
    limit = f"within deadlines.startSeconds ({observed.spec.deadlines.start_seconds} s)"
    message, reason = f"No first step {limit}", Reason.START_DEADLINE_EXCEEDED
    if plan.stop == Reason.PARTLY_PLACED:
        running = sum(pod.has_started for pod in observed.attempt.pods)
        missing = obstacle.before_start(observed)
        why = f": {missing.message}" if missing else ""
        reason, message = Reason.PARTLY_PLACED, f"Only {running} of {observed.spec.nodes} nodes could run {limit}{why}"
    return FailureStatus(attempt=observed.status.attempt, reason=reason, message=message[:4096], time=observed.now)


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
    if ending.verdict in (Verdict.RETRY, Verdict.FAIL, Verdict.REPLACE) and observed.recorded_failure is None:
        update["last_failure"] = _failure(observed, ending)
    if ending.verdict in (Verdict.COMPLETE, Verdict.FAIL):
        update["completion_time"] = observed.now
    return status.model_copy(update=update | _Counts.of(status, observed, ending).update(observed, ending))


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
        update |= _saved(told)
    elif ending.was_saved:
        kept, is_first = observed.status.checkpoint, observed.attempt.number == 1
        # The code alone says little of a program of one's own that has told of no checkpoint: it may report nothing.
        # And an attempt before this one may have saved something that nobody has heard of.
        is_known = kept is not None or (is_first and observed.spec.script is None)
        update |= {
            "saved_step": kept.step if kept else None,
            "saved_time": kept.save_time if kept else None,
            "lost_steps": 0 if is_known else None,
            "evidence": (ending.evidence or "PodReport") if kept or is_first else None,
        }
    return pause.model_copy(update=update)


def _saved(told: Progress) -> dict[str, object]:
    saved = told.checkpoint
    return {
        "saved_step": saved.step if saved else None,
        "saved_time": saved.save_time if saved else None,
        "lost_steps": max(0, told.step - (saved.step if saved else 0)),
        "evidence": "PodReport",
    }


def _failure(observed: Observed, ending: Ending) -> FailureStatus:
    return FailureStatus(
        attempt=observed.status.attempt,
        reason=ending.reason,
        message=(ending.message or _unsaid(observed, ending))[:4096],
        exit_code=ending.exit_code,
        pod=ending.pod,
        time=ending.time or observed.now,
        evidence=ending.evidence,
    )


def _unsaid(observed: Observed, ending: Ending) -> str:
    """Words for an end that needs none of its pods'."""
    if ending.reason == Reason.DEADLINE_EXCEEDED:
        return f"deadlines.totalSeconds ({observed.spec.deadlines.total_seconds} s) have passed"
    return f"The attempt was ended: {ending.reason}"


@dataclass(frozen=True)
class _Counts:
    """Restarts that count, and attempts in vain: what the wait before the next attempt follows from."""

    recent_restarts: int
    fruitless: int

    @classmethod
    def of(cls, status: TrainingJobStatus, observed: Observed, ending: Ending) -> "_Counts":
        """With the attempt that has just ended."""
        recent = deadlines.spent_restarts(observed)
        if ending.verdict is Verdict.PAUSE:
            return cls(recent, 0 if observed.was_fruitful else status.fruitless_attempts)
        fruitless = 0 if observed.was_fruitful else status.fruitless_attempts + 1
        return cls(recent + (ending.verdict is Verdict.RETRY), fruitless)

    def update(self, observed: Observed, ending: Ending) -> dict[str, object]:
        status = observed.status
        update: dict[str, object] = {"recent_restarts": self.recent_restarts, "fruitless_attempts": self.fruitless}
        if ending.verdict is Verdict.RETRY:
            update["restarts"] = status.restarts + 1
        if ending.verdict is Verdict.REPLACE:
            update["disruptions"] = status.disruptions + 1
        if observed.spec.wants_to_run:
            update["retry_time"] = self._retry_time(observed, ending)
        return update

    def _retry_time(self, observed: Observed, ending: Ending) -> datetime | None:
        """Doubling from the first failure on; what was disrupted or stopped begins again at once, unless in vain."""
        if ending.verdict is Verdict.RETRY:
            return observed.now + _backoff(observed, self.recent_restarts)
        if ending.verdict not in (Verdict.REPLACE, Verdict.CONTINUE):
            return None
        # A person may change the spec twice in a row.
        times = self.fruitless - (ending.reason == Reason.SPEC_CHANGED)
        if times <= 0:
            return None
        is_first = times == 1 and ending.reason != Reason.PARTLY_PLACED
        since = (observed.attempt.began if is_first else None) or observed.now
        earliest = since + _backoff(observed, times)
        return earliest if earliest > observed.now else None


def _backoff(observed: Observed, times: int) -> timedelta:
    restart = observed.spec.restart
    return timedelta(seconds=min(restart.max_backoff_seconds, restart.backoff_seconds * 2 ** min(times - 1, 20)))
