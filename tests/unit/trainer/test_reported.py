"""What becomes of the names and numbers that programs and frameworks report: none of them ends a training."""

import math

import pytest
import torch

from trainer.errors import NonFinite
from trainer.script.metrics import known_name, plain_name, read_report
from trainingjob_api.progress import EXTRA_METRICS_LIMIT, EpochMetrics


@pytest.mark.parametrize(
    ("name", "known"),
    [
        pytest.param("val/loss", "validation_loss", id="with a slash"),
        pytest.param("val_loss", "validation_loss", id="Lightning's habit"),
        pytest.param("valid acc", "validation_accuracy", id="with a blank"),
        pytest.param("Val/Accuracy", "validation_accuracy", id="with capitals"),
        pytest.param("eval_accuracy", "validation_accuracy", id="Hugging Face's habit"),
        pytest.param("train/loss", "train_loss", id="of training"),
        pytest.param("val_loss/dataloader_idx_0", "val_loss/dataloader_idx_0", id="one of several validations"),
        pytest.param("interval_loss", "interval_loss", id="a word that only ends like one"),
        pytest.param("loss", "loss", id="of nobody knows what"),
    ],
)
def test_names_that_mean_what_the_built_in_trainer_measures(name: str, known: str) -> None:
    assert known_name(name) == known


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        pytest.param("acc_", "acc_", id="plain as it is"),
        pytest.param("val/AR@100", "val_AR_100", id="slash and at"),
        pytest.param("valid loss (MB)", "valid_loss_MB", id="blanks and brackets"),
        pytest.param("точность", "metric", id="no letter that can stay"),
        pytest.param("", "metric", id="nothing at all"),
        pytest.param("x" * 65, "x" * 64, id="too long"),
    ],
)
def test_names_take_a_form_that_status_can_hold(name: str, plain: str) -> None:
    assert plain_name(name) == plain
    EpochMetrics(epoch=1, extra={plain: 1.0})


@pytest.mark.parametrize("names", [["a/b", "a_b", "a b"], ["x" * 70 + end for end in "abc"]], ids=["short", "long"])
def test_names_that_become_one_stay_apart(names: list[str]) -> None:
    reported = read_report(1, {name: float(number) for number, name in enumerate(names)})
    assert list(reported.extra.values()) == [0.0, 1.0, 2.0]
    EpochMetrics(epoch=1, extra=reported.extra)


def test_what_status_cannot_hold_is_left_out_and_named() -> None:
    reported = read_report(1, {f"class_{number}": number for number in range(EXTRA_METRICS_LIMIT + 8)})
    assert list(reported.extra) == [f"class_{number}" for number in range(EXTRA_METRICS_LIMIT)]
    assert [text.split(" ")[0] for text in reported.left_out] == [f"class_{number}" for number in range(32, 40)]


@pytest.mark.parametrize(
    "value", ["x", None, torch.ones(2), 10**400, 1j, object()], ids=["text", "None", "several", "huge", "complex", "?"]
)
def test_a_number_that_is_none_is_left_out_and_named(value: object) -> None:
    reported = read_report(1, {"train_loss": 1.0, "area": value})  # type: ignore[dict-item]
    assert (reported.known, reported.extra) == ({"train_loss": 1.0}, {})
    assert reported.left_out[0].startswith("area (not one number: ")


@pytest.mark.parametrize("value", [math.nan, math.inf, torch.tensor(math.nan)], ids=str)
def test_only_a_loss_that_is_not_finite_ends_a_training(value: float) -> None:
    reported = read_report(1, {"validation_accuracy": value, "own": value})
    assert (reported.known, reported.extra, reported.left_out) == ({}, {}, [])
    with pytest.raises(NonFinite, match="epoch 3: train_loss is"):
        read_report(3, {"train_loss": value})
