"""The small rules of the loop: patience, when to look up, when to save."""

import pytest
import torch

from support.trainer import Path, recipe
from trainer.agreement import Agreement, steps_between
from trainer.cadence import Cadence
from trainer.distributed import World
from trainer.early_stopping import Standing, criterion, is_spent, watched_value
from trainer.errors import NonFinite
from trainer.losses import loss_sum
from trainer.objectives import Classification, Regression
from trainer.seeds import derived_seed
from trainingjob_api.progress import EpochMetrics
from trainingjob_api.spec.checkpoint import CheckpointInterval
from trainingjob_api.spec.training import Loss, Training

TABLE = Path("/data/table.csv")
CPU = torch.device("cpu")


def training(**changes: object) -> Training:
    plain = {"optimizer": {"type": "adamw", "learningRate": 1.0}, "schedule": None, "epochs": 10}
    return Training.model_validate(recipe(TABLE, **{**plain, **changes}))


def after(values: list[float], mode: str = "min", min_delta: float = 0.0) -> Standing:
    standing = Standing()
    for epoch, value in enumerate(values, start=1):
        standing = standing.after(EpochMetrics(epoch=epoch), value, mode, min_delta)  # type: ignore[arg-type]
    return standing


@pytest.mark.parametrize(
    ("values", "mode", "min_delta", "best", "waited"),
    [
        pytest.param([3, 2, 1], "min", 0.0, 3, 0, id="ever better"),
        pytest.param([3, 2, 2.5, 2.1], "min", 0.0, 2, 2, id="worse since"),
        pytest.param([3, 2, 2], "min", 0.0, 2, 1, id="as good is not better"),
        pytest.param([3, 2.95, 2.9], "min", 0.2, 1, 2, id="too little is no gain"),
        pytest.param([0.1, 0.5, 0.4], "max", 0.0, 2, 1, id="more is better"),
    ],
)
def test_the_best_epoch(values: list[float], mode: str, min_delta: float, best: int, waited: int) -> None:
    standing = after(values, mode, min_delta)
    assert standing.metrics is not None
    assert (standing.metrics.epoch, standing.waited) == (best, waited)


def test_patience() -> None:
    impatient = training(earlyStopping={"patience": 2})
    assert not is_spent(after([1, 2]), impatient)
    assert is_spent(after([1, 2, 3]), impatient)
    assert not is_spent(after([1, *[2] * 50]), training(earlyStopping=None))


def test_what_makes_an_epoch_the_best() -> None:
    assert criterion(training(earlyStopping={"metric": "trainLoss"})).metric == "trainLoss"
    assert criterion(training(earlyStopping=None)).metric == "validationLoss"
    alone = training(earlyStopping=None, data={"path": "/x.csv", "target": "y"})
    assert criterion(alone).metric == "trainLoss"


def test_a_metric_that_was_not_measured_is_no_reason_to_go_on() -> None:
    with pytest.raises(NonFinite):
        watched_value(EpochMetrics(epoch=1), criterion(training()))


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


def test_measures_of_a_classification() -> None:
    objective = Classification(3, loss_sum(Loss(type="crossEntropy")))
    outputs = torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [5.0, 0, 0]])
    targets = torch.tensor([0, 1, 2])
    sums = objective.tally(outputs, targets, objective.loss_sum(outputs, targets)).tolist()
    measures = objective.measures(sums, 3)
    assert measures.accuracy == pytest.approx(2 / 3)
    assert measures.loss == pytest.approx(torch.nn.functional.cross_entropy(outputs, targets).item())


def test_measures_of_a_regression_are_in_units_of_the_target() -> None:
    objective = Regression(100.0, 10.0, loss_sum(Loss(type="mse")), 2)
    real, guessed = torch.tensor([90.0, 100.0, 130.0]), torch.tensor([[92.0], [100.0], [124.0]])
    scaled, outputs = (real - 100) / 10, (guessed - 100) / 10
    measures = objective.measures(objective.tally(outputs, scaled, objective.loss_sum(outputs, scaled)).tolist(), 3)
    assert measures.loss == pytest.approx((4 + 0 + 36) / 3, rel=1e-5)
    assert measures.mae == pytest.approx(8 / 3, rel=1e-5)
    assert measures.rmse == pytest.approx((40 / 3) ** 0.5, rel=1e-5)
    spread = sum((value - real.mean().item()) ** 2 for value in real.tolist())
    assert measures.r2 == pytest.approx(1 - 40 / spread, rel=1e-5)
