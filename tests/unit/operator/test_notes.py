"""What is told as an Event, and what is not."""

import pytest

from training_operator.status.notes import notes
from trainingjob_api.status import (
    CheckpointStatus,
    Condition,
    ConditionType,
    FailureStatus,
    Phase,
    Reason,
    ResumeStatus,
    TrainingJobStatus,
)
from unit.operator.factories import NOW, ended_status, open_status


def with_condition(type: ConditionType, reason: Reason, status: str = "True") -> TrainingJobStatus:
    condition = Condition.model_validate(
        {
            "type": type,
            "status": status,
            "observedGeneration": 1,
            "lastTransitionTime": NOW,
            "reason": reason,
            "message": "m",
        }
    )
    return open_status().model_copy(update={"conditions": [condition]})


FAILURE = FailureStatus(attempt=1, reason=Reason.CRASH, message="boom", time=NOW)
SAVED = CheckpointStatus(step=5, epoch=1, path="p", size_bytes=1, save_time=NOW, save_seconds=1)
RESUMED = ResumeStatus(from_step=5, from_attempt=1, exactness="StepExact", reason="another world size")
STALLED = with_condition(ConditionType.STALLED, Reason.NAME_TAKEN)

QUEUED = with_condition(ConditionType.RECONCILING, Reason.PAUSED_BY_QUEUE).model_copy(update={"phase": Phase.QUEUED})

CASES = [
    ("a queue took its place", open_status(), QUEUED, ["PausedByQueue"]),
    ("it still waits in the queue", QUEUED, QUEUED, []),
    ("nothing happened", open_status(), open_status(), []),
    ("an attempt began", TrainingJobStatus(), open_status(), ["AttemptStarted"]),
    ("a first checkpoint", open_status(), open_status(checkpoint=SAVED), ["CheckpointSaved"]),
    (
        "another checkpoint",
        open_status(checkpoint=SAVED),
        open_status(checkpoint=SAVED.model_copy(update={"step": 9})),
        [],
    ),
    ("something to know of the data", open_status(), open_status(notices=["not read: a.txt"]), ["Notice"]),
    ("it is still so", open_status(notices=["not read: a.txt"]), open_status(notices=["not read: a.txt"]), []),
    ("it went on from a checkpoint", open_status(2), open_status(2, resume=RESUMED), ["Resumed"]),
    (
        "an attempt failed",
        open_status(),
        ended_status(end="Crash", last_failure=FAILURE, retry_time=NOW),
        ["AttemptFailed", "Restarting"],
    ),
    ("it was paused", open_status(), with_condition(ConditionType.SUSPENDED, Reason.PAUSED_BY_USER), ["Paused"]),
    ("it is complete", open_status(), with_condition(ConditionType.COMPLETE, Reason.COMPLETED), ["Completed"]),
    ("it has failed", open_status(), with_condition(ConditionType.FAILED, Reason.USER_ERROR), ["Failed"]),
    ("it needs a person", open_status(), STALLED, ["NameTaken"]),
    ("it still needs a person", STALLED, STALLED, []),
    (
        "it needs a person for another reason",
        STALLED,
        with_condition(ConditionType.STALLED, Reason.FORBIDDEN),
        ["Forbidden"],
    ),
    ("it needs nobody any more", STALLED, with_condition(ConditionType.STALLED, Reason.AS_SPECIFIED, "False"), []),
]


@pytest.mark.parametrize(("before", "after", "reasons"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_events(before: TrainingJobStatus, after: TrainingJobStatus, reasons: list[str]) -> None:
    assert [note.reason for note in notes(before, after)] == reasons


def test_the_words() -> None:
    after = open_status(2, resume=RESUMED)
    told = {note.reason: note.message for note in notes(open_status(2), after)}
    assert told["Resumed"] == "Attempt 2 went on from step 5 of attempt 1 (StepExact: another world size)"
