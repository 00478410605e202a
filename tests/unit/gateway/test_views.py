"""What a TrainingJob's status is in the API's words."""

from typing import Any

import pytest

from training_gateway.measured import api_name, epoch_of
from trainingjob_api.progress import EpochMetrics
from unit.gateway.jobs import at_epoch, condition, over, view

STATES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing said yet": ({}, "pending"),
    "in a queue": ({"phase": "Queued"}, "queued"),
    "starting": ({"phase": "Starting"}, "starting"),
    "training": ({"phase": "Running"}, "running"),
    "saving for a pause": ({"phase": "Pausing"}, "pausing"),
    "paused": ({"phase": "Paused"}, "paused"),
    "after a crash": ({"phase": "Restarting"}, "restarting"),
    "after its last epoch": ({"phase": "Finishing"}, "finishing"),
    "all epochs done": (over(), "completed"),
    "done by an earlier job in the folder": (over("AlreadyCompleted"), "completed"),
    "no improvement for long": (over("EarlyStopped"), "early_stopped"),
    "failed for good": ({"phase": "Failed", "conditions": [condition("Failed", "DataError")]}, "failed"),
    "a word of a newer release": ({"phase": "Hibernating"}, "hibernating"),
}


@pytest.mark.parametrize(("status", "state"), STATES.values(), ids=STATES)
def test_the_state_is_one_word(status: dict[str, Any], state: str) -> None:
    assert view(status=status).progress["training_state"] == state


def test_progress_has_exactly_these_fields() -> None:
    assert view(status=at_epoch(3)).progress == {
        "current_epoch": 3,
        "total_epochs": 10,
        "training_state": "running",
        "latest_metrics": {
            "epoch": 3,
            "train_loss": 0.25,
            "train_accuracy": 0.5,
            "val_loss": 0.5,
            "val_accuracy": None,
            "learning_rate": None,
            "time_per_epoch": None,
        },
        "best_metrics": {"loss": 0.5, "accuracy": None, "epoch": 3},
    }


def test_before_the_first_epoch_the_total_is_the_recipes() -> None:
    progress = view().progress
    assert (progress["current_epoch"], progress["total_epochs"], progress["latest_metrics"]) == (0, 10, {})
    assert progress["best_metrics"] == {"loss": None, "accuracy": None}


def test_regression_has_errors_in_place_of_accuracies() -> None:
    numbers = epoch_of(EpochMetrics(epoch=1, train_loss=1.0, train_mae=0.5, validation_mae=0.6, validation_r2=0.9))
    assert numbers["train_accuracy"] is None
    assert numbers["val_accuracy"] is None
    assert (numbers["train_mae"], numbers["val_mae"], numbers["val_r2"]) == (0.5, 0.6, 0.9)


NAMES = {
    "trainLoss": "train_loss",
    "validationLoss": "val_loss",
    "validationRocAuc": "val_roc_auc",
    "validationF1": "val_f1",
    "secondsPerEpoch": "time_per_epoch",
    "validation_mae": "val_mae",
    "learningRate": "learning_rate",
}


@pytest.mark.parametrize(("name", "called"), NAMES.items(), ids=NAMES)
def test_numbers_have_the_apis_names(name: str, called: str) -> None:
    assert api_name(name) == called


def test_a_failure_says_its_reason() -> None:
    failure = {"attempt": 3, "reason": "OutOfMemory", "message": "killed", "time": "2026-01-31T12:00:00Z"}
    failed = condition("Failed", "RestartBudgetSpent", "attempt 3 was the last: killed")
    ending = view(status=at_epoch(2, "Failed", conditions=[failed], lastFailure=failure)).ending
    assert (ending["type"], ending["state"], ending["reason"]) == ("complete", "failed", "OutOfMemory")
    assert ending["message"] == "attempt 3 was the last: killed"


def test_a_job_made_by_hand_is_called_by_its_place() -> None:
    assert view("digits", namespace="team-a").task_id == "team-a.digits"
    labelled = view(labels={"trainingjob.dev/task-id": "epoch_training_20240101_120000"})
    assert labelled.task_id == "epoch_training_20240101_120000"
    assert view(labels={"trainingjob.dev/task-id": "../x"}).task_id == "team.job"


def test_a_title_in_any_language_is_its_name() -> None:
    assert view(annotations={"trainingjob.dev/title": "鸢尾花"}).item["name"] == "鸢尾花"
    assert view().item["name"] == "job"
