"""The small rules of the loop: patience, when to look up, when to save."""

import math
import re
from typing import get_args

import pytest
import torch

from support.trainer import Path, recipe
from trainer.agreement import Agreement, steps_between
from trainer.checkpoint.cadence import Cadence
from trainer.distributed import World
from trainer.errors import NonFinite, UserError
from trainer.learning.clock import EpochClock
from trainer.learning.early_stopping import Standing, is_spent, measured
from trainer.learning.evaluation import _describe
from trainer.learning.measures import Measures
from trainer.seeds import derived_seed
from trainingjob_api.progress import EpochMetrics
from trainingjob_api.spec.checkpoint import CheckpointInterval
from trainingjob_api.spec.training import EarlyStopping, Training

TABLE = Path("/data/table.csv")
CPU = torch.device("cpu")


def training(**changes: object) -> Training:
    plain = {"optimizer": {"type": "adamw", "learningRate": 1.0}, "schedule": None, "epochs": 10}
    return Training.model_validate(recipe(TABLE, **{**plain, **changes}))


def after(values: list[float], mode: str = "min", min_delta: float = 0.0, **changes: object) -> Standing:
    watched = {"metric": "validationLoss", "mode": mode, "minDelta": min_delta}
    recipe = training(earlyStopping=watched, **changes)
    standing = Standing.before(recipe)
    for epoch, value in enumerate(values, start=1):
        standing = standing.after(EpochMetrics(epoch=epoch, train_loss=-value, validation_loss=value), recipe)
    return standing


@pytest.mark.parametrize(
    ("values", "mode", "min_delta", "best", "waited"),
    [
        pytest.param([3, 2, 1], "min", 0.0, 3, 0, id="ever better"),
        pytest.param([3, 2, 2.5, 2.1], "min", 0.0, 2, 2, id="worse since"),
        pytest.param([3, 2, 2], "min", 0.0, 2, 1, id="as good is not better"),
        pytest.param([3, 2.95, 2.9], "min", 0.2, 3, 2, id="too little to wait for is still better"),
        pytest.param([3, 2.9, 2.95], "min", 0.2, 2, 2, id="and the best of it is the best"),
        pytest.param([3, 2.875, 2.75], "min", 0.125, 3, 0, id="two small gains are one over the best"),
        pytest.param([3, 2.75], "min", 0.25, 2, 1, id="what is worth waiting for is more than minDelta"),
        pytest.param([0.1, 0.5, 0.4], "max", 0.0, 2, 1, id="more is better"),
        pytest.param([0.5, 0.5], "max", 0.0, 1, 1, id="as much is not better"),
        pytest.param([0.25, 0.375, 0.5], "max", 0.125, 3, 0, id="more by enough over the best"),
        pytest.param([0.25, 0.5], "max", 0.25, 2, 1, id="not more by enough"),
        pytest.param([-2, -3, -4], "max", 0.0, 1, 2, id="below zero"),
    ],
)
def test_the_best_epoch(values: list[float], mode: str, min_delta: float, best: int, waited: int) -> None:
    standing = after(values, mode, min_delta)
    assert standing.metrics is not None
    assert (standing.metrics.epoch, standing.waited) == (best, waited)


@pytest.mark.parametrize(
    ("values", "patience", "spent"),
    [
        pytest.param([1, 2], 2, False, id="one evaluation without a gain"),
        pytest.param([1, 2, 3], 2, True, id="two"),
        pytest.param([1, 2, 0.5, 2], 2, False, id="a gain begins anew"),
        pytest.param([1, 2, 0.5, 2, 0.75], 2, True, id="and then two without"),
        pytest.param([1, 2], 1, True, id="no patience"),
    ],
)
def test_patience_counts_evaluations(values: list[float], patience: int, spent: bool) -> None:
    assert is_spent(after(values), training(earlyStopping={"patience": patience})) == spent


def test_without_early_stopping_nothing_is_spent() -> None:
    assert not is_spent(after([1, *[2] * 50]), training(earlyStopping=None))


ALONE = {"data": {"path": "/x.csv", "target": "y"}}
PATIENT = {"metric": "validationF1"}


@pytest.mark.parametrize(
    ("changes", "watched", "best_by", "keeps_best"),
    [
        pytest.param({}, "min validationLoss", "min validationLoss", True, id="nothing is said"),
        pytest.param(ALONE, "min trainLoss", None, False, id="nothing is held back"),
        pytest.param({"earlyStopping": PATIENT}, "max validationF1", "max validationF1", True, id="early stopping"),
        pytest.param(
            {"earlyStopping": {**PATIENT, "restoreBest": False}}, "max validationF1", "max validationF1", False,
            id="early stopping that keeps the last",
        ),
        pytest.param(
            {**ALONE, "earlyStopping": {"metric": "trainLoss"}}, "min trainLoss", "min trainLoss", True,
            id="early stopping without rows that are held back",
        ),
        pytest.param(
            {"earlyStopping": PATIENT, "selection": {"metric": "validationRocAuc"}},
            "max validationF1", "max validationRocAuc", True, id="another metric than early stopping's",
        ),
        pytest.param(
            {"selection": {"metric": "validationLoss", "mode": "max"}}, "min validationLoss", "max validationLoss",
            True, id="the other way round",
        ),
        pytest.param(
            {"selection": {"epoch": "last"}}, "min validationLoss", "min validationLoss", False, id="the last"
        ),
        pytest.param(
            {**ALONE, "selection": {"metric": "trainLoss"}}, "min trainLoss", "min trainLoss", True,
            id="by the training's loss, if that is asked for",
        ),
    ],
)  # fmt: skip
def test_which_epoch_is_kept(changes: dict[str, object], watched: str, best_by: str | None, keeps_best: bool) -> None:
    recipe = training(**{"earlyStopping": None, **changes})
    assert (str(recipe.watched), recipe.best_by and str(recipe.best_by)) == (watched, best_by)
    assert recipe.keeps_best == keeps_best


def test_the_best_may_be_another_epoch_than_patience_waits_after() -> None:
    standing = after([3, 2, 4], selection={"metric": "trainLoss"})
    assert (standing.value, standing.metrics and standing.metrics.epoch, standing.waited) == (-4, 3, 1)
    assert (standing.criterion, standing.watched, standing.reference) == ("min trainLoss", "min validationLoss", 2)


def test_without_a_best_none_is_shown() -> None:
    recipe = training(earlyStopping=None, **ALONE)
    standing = Standing.before(recipe).after(EpochMetrics(epoch=1, train_loss=1), recipe)
    assert (standing.criterion, standing.value, standing.metrics) == (None, None, None)


def test_a_standing_of_version_0_1_is_understood() -> None:
    """Its best epoch was the last one that patience took for better."""
    then = {"criterion": "min validationLoss", "value": 2.0, "metrics": {"epoch": 4}, "waited": 3}
    found = Standing.model_validate(then)
    assert (found.watched, found.reference, found.waited) == ("min validationLoss", 2.0, 3)
    again = Standing.model_validate_json(found.model_dump_json(by_alias=True, exclude_none=True))
    assert again == found


WATCHED = {
    "trainLoss": "train_loss",
    "trainAccuracy": "train_accuracy",
    "trainMae": "train_mae",
    "validationLoss": "validation_loss",
    "validationAccuracy": "validation_accuracy",
    "validationPrecision": "validation_precision",
    "validationRecall": "validation_recall",
    "validationF1": "validation_f1",
    "validationRocAuc": "validation_roc_auc",
    "validationMae": "validation_mae",
    "validationRmse": "validation_rmse",
    "validationR2": "validation_r2",
}


def test_every_metric_that_can_be_watched_is_measured() -> None:
    assert set(WATCHED) == set(get_args(EarlyStopping.model_fields["metric"].annotation))
    numbers = {field: number / 8 for number, field in enumerate(WATCHED.values(), start=1)}
    metrics = EpochMetrics.model_validate({"epoch": 1, **numbers})
    for metric, field in WATCHED.items():
        watched = EarlyStopping.model_validate({"metric": metric}).criterion
        assert measured(metrics, watched, "earlyStopping") == numbers[field]
        assert watched.direction == ("min" if field.endswith(("loss", "mae", "rmse")) else "max")


class NotBegun:
    epoch_seconds = 0.0


@pytest.mark.parametrize("field", WATCHED.values())
def test_a_watched_metric_that_is_nan_ends_training_before_it_counts(field: str) -> None:
    """It would be neither better nor worse than any other: as the first one it would stay the best for ever."""
    split, _, name = field.partition("_")
    good, broken = Measures(loss=0.5), Measures(**{"loss": 0.5, name: math.nan})
    train, held_back = (broken, good) if split == "train" else (good, broken)
    with pytest.raises(NonFinite, match="epoch 3"):
        _describe(3, train, held_back, 0.1, 96, EpochClock(NotBegun()))


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        pytest.param("validationRocAuc", "at least two classes in data.validation, and at most 256", id="one class"),
        pytest.param("validationR2", "different targets", id="equal targets"),
        pytest.param("trainLoss", "none of this training's", id="something else"),
    ],
)
def test_a_metric_that_cannot_be_measured_ends_the_training_for_good(metric: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"earlyStopping.metric: {metric} cannot")) as error:
        measured(EpochMetrics(epoch=1), EarlyStopping.model_validate({"metric": metric}).criterion, "earlyStopping")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("seconds", "previous", "steps"),
    [
        pytest.param(10.0, 1, 1, id="slow steps: every one"),
        pytest.param(0.1, 2, 2, id="a few"),
        pytest.param(0.001, 1, 2, id="at most twice as many as before"),
        pytest.param(0.001, 1000, 250, id="a quarter of a second"),
        pytest.param(0.0, 10**9, 10_000, id="never more than a limit"),
    ],
)
def test_steps_between_two_looks(seconds: float, previous: int, steps: int) -> None:
    assert steps_between(seconds, previous) == steps


def test_alone_a_request_counts_at_once() -> None:
    asked = False
    agreement = Agreement(World(0, 1, CPU), lambda: asked, lambda: False)
    for _ in range(50):
        if agreement.is_due():
            assert not agreement.ask().stop
    asked = True
    assert agreement.is_due()
    assert agreement.ask().stop


def test_looking_up_twice_in_a_row_does_not_stretch_the_interval() -> None:
    agreement = Agreement(World(0, 1, CPU), lambda: False, lambda: False)
    for _ in range(20):
        agreement.ask()
    assert agreement.is_due()


@pytest.mark.parametrize(
    ("every", "step", "epoch", "now", "due"),
    [
        ({"epochs": 2}, 10, 1, 0.0, False),
        ({"epochs": 2}, 10, 2, 0.0, True),
        ({"steps": 5}, 4, 9, 0.0, False),
        ({"steps": 5}, 5, 0, 0.0, True),
        ({"seconds": 5}, 99, 9, 4.9, False),
        ({"seconds": 5}, 0, 0, 5.0, True),
        ({"epochs": 3, "steps": 5}, 5, 0, 0.0, True),
    ],
)
def test_when_a_save_is_due(every: dict[str, int], step: int, epoch: int, now: float, due: bool) -> None:
    cadence = Cadence(CheckpointInterval.model_validate(every))

    def is_due() -> bool:
        return cadence.is_due_by_step(step) or cadence.is_due_by_epoch(epoch) or cadence.is_due_by_time(now)

    assert is_due() == due
    cadence.saved(step, epoch, now)
    assert not is_due()


def test_seeds_do_not_depend_on_each_other() -> None:
    seeds = {derived_seed(seed, purpose, epoch) for seed in range(9) for purpose in ("a", "b") for epoch in range(9)}
    assert len(seeds) == 162
    assert all(0 <= seed < 2**63 for seed in seeds)
