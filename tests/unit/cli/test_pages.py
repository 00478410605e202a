"""What is shown of jobs and their histories."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from support.manifests import manifest
from trainingjob_api.history import AttemptStart, History, Row, Span
from trainingjob_cli.columns import job_table
from trainingjob_cli.following import with_later
from trainingjob_cli.history_table import comparison, epoch_csv, epoch_table, remarks
from trainingjob_cli.live import bar, frame, line
from trainingjob_cli.page import describe
from trainingjob_cli.sparkline import sparkline
from trainingjob_cli.terminal_plot import terminal_curves
from trainingjob_client.history import JobHistory
from trainingjob_client.job import Event, Job, Pod

_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_STATUS: dict[str, Any] = {
    "phase": "Running",
    "observedGeneration": 1,
    "attempt": 2,
    "restarts": 1,
    "conditions": [
        {
            "type": "Running",
            "status": "True",
            "reason": "Training",
            "message": "Attempt 2 is training on 1 node.",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T11:59:00Z",
        }
    ],
    "progress": {
        "epoch": 3,
        "epochs": 10,
        "step": 30,
        "epochText": "3/10",
        "percent": 30,
        "secondsRemaining": 90,
        "updateTime": "2026-01-01T11:59:50Z",
    },
    "metrics": {"latest": {"epoch": 3, "trainLoss": 0.51239, "validationAccuracy": 0.9}},
    "resume": {"fromStep": 20, "fromAttempt": 1, "exactness": "Bitwise"},
    "lastFailure": {
        "attempt": 1,
        "reason": "Crash",
        "message": "it fell",
        "exitCode": 1,
        "time": "2026-01-01T11:50:00Z",
    },
}
_JOB = Job(
    {
        **manifest(),
        "metadata": {"name": "job", "namespace": "n", "creationTimestamp": "2026-01-01T11:40:00Z"},
        "status": _STATUS,
    }
)


def _history(*losses: float, name: str = "job") -> JobHistory:
    rows = tuple(
        Row(n, 1, n * 10, None, {"trainLoss": loss, "secondsPerEpoch": 2.0}) for n, loss in enumerate(losses, 1)
    )
    kept = History("uid", rows, len(rows), (Span(1, len(rows)),), (AttemptStart(1, 1),), best=len(rows) or None)
    return JobHistory(name, kept)


def test_the_table_has_the_columns_of_kubectl() -> None:
    titles, row = job_table([_JOB], _NOW)
    assert titles.startswith("NAME   PHASE     EPOCH   TRAIN LOSS")
    assert row.split() == ["job", "Running", "3/10", "0.5124", "0.9", "90s", "1", "20m"]


def test_a_page_tells_everything_and_leaves_out_what_is_not_there() -> None:
    pod = Pod(
        {"metadata": {"name": "job-2-0", "labels": {"trainingjob.dev/attempt": "2"}}, "spec": {"nodeName": "here"}}
    )
    event = Event(_NOW, "Warning", "Restarting", "again\n", "TrainingJob/job")
    page = "\n".join(describe(_JOB, [pod], [event], _NOW, "trainingjob"))
    for words in (
        "Phase:      Running",
        "Epoch:      3/10",
        "Time left:  90s",
        "latest  epoch 3: train loss 0.5124, val. accuracy 90.0%",
        "Went on:  from step 20 of attempt 1, Bitwise",
        "Reason:     Crash, attempt 1, 10m ago",
        "job-2-0   2         Pending   here",
        "Warning   Restarting   TrainingJob/job   again",
        "Next:\n  trainingjob watch job\n  trainingjob pause job",
    ):
        assert words in page
    assert "Notices" not in page
    assert page.splitlines() == [each.rstrip() for each in page.splitlines()]


def test_a_page_tells_who_asked_by_the_http_api_and_what_they_call_it() -> None:
    annotations = {"trainingjob.dev/title": "鸢尾花", "trainingjob.dev/requested-by": "ada"}
    labels = {"trainingjob.dev/task-id": "epoch_training_20260101_114000"}
    job = Job({**_JOB.raw, "metadata": {**_JOB.raw["metadata"], "annotations": annotations, "labels": labels}})
    head = describe(job, [], [], _NOW, "trainingjob")[2:5]
    assert head == ["Title:      鸢尾花", "Task:       epoch_training_20260101_114000", "Asked by:   ada"]


def test_a_frame_has_curves_as_soon_as_there_are_two_epochs() -> None:
    assert bar(_JOB, 70) == "█" * 12 + "░" * 30 + "  30%  epoch 3/10  90s left"
    assert line(_JOB) == "Running  epoch 3/10  train loss 0.5124, val. accuracy 0.9"
    assert not any("train loss " in each for each in frame(_JOB, _history(1.0), _NOW, 80)[1:])
    seen = with_later(_history(4.0, 2.0), {2: Row(2), 3: Row(3, 1, 30, None, {"trainLoss": 1.0})})
    assert [row.epoch for row in seen.rows] == [1, 2, 3]
    assert "train loss    █▃▁  4 → 1" in frame(_JOB, seen, _NOW, 80)
    assert sparkline([], 5) == ""
    assert sparkline([1.0, 1.0], 5) == "▁▁"


def test_a_history_is_a_table_a_csv_and_curves() -> None:
    history = _history(4.0, 2.0)
    assert epoch_table(history, last=1) == [
        "EPOCH   ATTEMPT   STEP   TRAIN LOSS   SECONDS",
        "    2         1     20            2         2   *",
    ]
    assert epoch_csv(history)[1] == "1,1,10,,4.0,2.0"
    assert remarks(history) == []
    broken = replace(history, kept=replace(history.kept, known=(Span(2, 2),), every=2))
    assert remarks(broken)[0] == "Nobody could tell of epochs 1."
    assert comparison([history, _history(name="empty")], ["Running", "Pending"])[1:] == [
        "job     Running   2        2            2                 4.0s",
        "empty   Pending   0                                       0.0s",
    ]
    drawn = terminal_curves([history], 60, colour=False)
    assert drawn[0] == "Loss   a train"
    assert all(len(each) <= 60 for each in drawn)
    assert history.to_arrow().column("trainLoss").to_pylist() == [4.0, 2.0]
