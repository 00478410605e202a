"""Status before and after -> what is worth an Event. Pure; never one per epoch."""

from collections.abc import Iterator

from training_operator.builders.event import Note
from trainingjob_api.status import ConditionType, Phase, TrainingJobStatus


def notes(before: TrainingJobStatus, after: TrainingJobStatus) -> list[Note]:
    """What happened between two statuses, in the order in which a person would tell it."""
    return [*_ends(before, after), *_pauses(before, after), *_starts(before, after), *_finishes(before, after)]


def _ends(before: TrainingJobStatus, after: TrainingJobStatus) -> Iterator[Note]:
    failure = after.last_failure
    if failure is not None and (before.last_failure is None or before.last_failure.attempt != failure.attempt):
        yield Note("AttemptFailed", f"Attempt {failure.attempt}: {failure.reason}: {failure.message}", "Warning")
    if after.retry_time is not None and after.retry_time != before.retry_time:
        when = f"{after.retry_time:%H:%M:%S} UTC"
        yield Note("Restarting", f"Attempt {after.attempt + 1} begins at {when}; {after.restarts} restarts so far")


def _pauses(before: TrainingJobStatus, after: TrainingJobStatus) -> Iterator[Note]:
    if _became_true(ConditionType.SUSPENDED, before, after):
        condition = after.condition(ConditionType.SUSPENDED)
        about = f"{condition.last_transition_time}" if condition else ""
        yield Note("Paused", condition.message if condition else "", about=about)


def _starts(before: TrainingJobStatus, after: TrainingJobStatus) -> Iterator[Note]:
    if after.attempt > before.attempt:
        yield Note("AttemptStarted", f"Attempt {after.attempt} begins as Job {after.job.name if after.job else ''}")
    queued = after.condition(ConditionType.RECONCILING)
    if after.phase == Phase.QUEUED and queued is not None and before.phase != Phase.QUEUED:
        yield Note(queued.reason, queued.message, about=f"{queued.last_transition_time}")
    resume = after.resume
    if resume is not None and before.resume is None:
        why = f": {resume.reason}" if resume.reason else ""
        origin = f"step {resume.from_step} of attempt {resume.from_attempt}"
        yield Note("Resumed", f"Attempt {after.attempt} went on from {origin} ({resume.exactness}{why})")
    for notice in after.notices:
        if notice not in before.notices:
            yield Note("Notice", notice, "Warning", about=notice)
    if after.checkpoint is not None and before.checkpoint is None:
        yield Note("CheckpointSaved", f"The first checkpoint is at step {after.checkpoint.step}")


def _finishes(before: TrainingJobStatus, after: TrainingJobStatus) -> Iterator[Note]:
    if _became_true(ConditionType.COMPLETE, before, after):
        yield Note("Completed", _message(after, ConditionType.COMPLETE))  # which says how: all epochs, or early
    elif _became_true(ConditionType.FAILED, before, after):
        yield Note(
            "Failed", f"{_reason(after, ConditionType.FAILED)}: {_message(after, ConditionType.FAILED)}", "Warning"
        )
    elif _stalled_anew(before, after):
        condition = after.condition(ConditionType.STALLED)
        assert condition is not None
        yield Note(condition.reason, condition.message, "Warning", about=f"{condition.last_transition_time}")


def _stalled_anew(before: TrainingJobStatus, after: TrainingJobStatus) -> bool:
    old, new = before.condition(ConditionType.STALLED), after.condition(ConditionType.STALLED)
    if new is None or new.status != "True":
        return False
    return old is None or old.status != "True" or old.reason != new.reason


def _became_true(type: ConditionType, before: TrainingJobStatus, after: TrainingJobStatus) -> bool:
    return after.is_true(type) and not before.is_true(type)


def _message(status: TrainingJobStatus, type: ConditionType) -> str:
    condition = status.condition(type)
    return condition.message if condition else ""


def _reason(status: TrainingJobStatus, type: ConditionType) -> str:
    condition = status.condition(type)
    return condition.reason if condition else ""
