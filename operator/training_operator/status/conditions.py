"""A summary -> all conditions, each with its generation and the time of its last turn. Pure."""

from typing import Literal

from training_operator.observe import Observed
from training_operator.status.summary import Standing, Summary
from trainingjob_api.base import Time
from trainingjob_api.status import Condition, ConditionType, Reason, TrainingJobStatus

Word = Literal["True", "False"]
Told = tuple[bool, str, str]
"""True or False, why, and in words."""


def conditions_of(observed: Observed, status: TrainingJobStatus, summary: Summary) -> list[Condition]:
    """All of them, always: who waits for one need not guess what its absence means."""
    told: dict[ConditionType, Told] = {
        ConditionType.READY: (summary.standing is Standing.READY, summary.reason, summary.message),
        ConditionType.RECONCILING: _when(summary.standing is Standing.RECONCILING, summary),
        ConditionType.STALLED: _when(summary.standing is Standing.STALLED, summary),
        ConditionType.SUSPENDED: _suspended(observed, summary),
        ConditionType.RUNNING: _when(summary.is_running, summary, summary.reason),
        ConditionType.COMPLETE: _when(summary.finished is ConditionType.COMPLETE, summary, summary.reason),
        ConditionType.FAILED: _when(summary.finished is ConditionType.FAILED, summary),
        ConditionType.CHECKPOINT_AVAILABLE: _checkpoint(observed, status),
    }
    generation = observed.job.metadata.generation
    before = {condition.type: condition for condition in status.conditions}
    return [
        condition_of(type, "True" if is_so else "False", reason, message, before.get(type), generation, observed.now)
        for type, (is_so, reason, message) in told.items()
    ]


def _when(is_so: bool, summary: Summary, otherwise: str = Reason.AS_SPECIFIED) -> Told:
    return (True, summary.reason, summary.message) if is_so else (False, otherwise, "")


def _suspended(observed: Observed, summary: Summary) -> Told:
    if summary.is_suspended:
        return True, summary.reason, summary.message
    if summary.finished:
        return False, Reason.FINISHED, ""
    if observed.spec.wants_to_run:
        return False, Reason.NOT_REQUESTED, ""
    return False, summary.reason, summary.message


def _checkpoint(observed: Observed, status: TrainingJobStatus) -> Told:
    """Whether a pause or a restart would lose everything."""
    if observed.spec.checkpoint.volume.empty_dir is not None:
        words = "The checkpoints end with the pod (emptyDir): a pause or a restart begins at epoch 0."
        return False, Reason.EPHEMERAL_VOLUME, words
    before, saved = status.condition(ConditionType.CHECKPOINT_AVAILABLE), status.checkpoint
    if observed.attempt.report is None and observed.attempt.is_open and before and before.reason == Reason.SAVE_FAILED:
        return before.status == "True", before.reason, before.message  # until rank 0 is heard again
    problem = observed.attempt.report.checkpoint_problem if observed.attempt.report else None
    if problem:
        return saved is not None, Reason.SAVE_FAILED, f"The last save failed: {problem}. The one before is kept."
    if saved is None and observed.spec.script is not None and status.progress is None:
        words = "The program has not reported anything saved; without that, a pause or a restart begins it anew."
        return False, Reason.NOT_REPORTED, words
    if saved is None:
        return False, Reason.NO_CHECKPOINT, "Nothing is saved yet."
    return True, Reason.CHECKPOINT_SAVED, ""


def condition_of(
    type: str, word: Word, reason: str, message: str, before: Condition | None, generation: int, now: Time
) -> Condition:
    """The condition with the time of its last turn; the same as before where it says the same."""
    told = (word, reason, message[:4096], generation)
    if before and (before.status, before.reason, before.message, before.observed_generation) == told:
        return before
    return Condition(
        type=type,
        status=word,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and before.status == word else now,
        reason=reason,
        message=message[:4096],
    )
