"""The sums of an epoch: right, and the same to the last bit wherever a pause cuts it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from trainer.learning.epoch_sums import EpochSums
from trainer.learning.losses import loss_sum
from trainer.learning.objectives import Classification, Objective, Regression
from trainingjob_api.spec.training import Loss

CPU = torch.device("cpu")
REGRESSION = Regression(0.0, 1.0, loss_sum(Loss(type="mse")), 2)
CLASSIFICATION = Classification(3, loss_sum(Loss(type="crossEntropy")))
OBJECTIVES = [pytest.param(REGRESSION, id="regression"), pytest.param(CLASSIFICATION, id="classification")]
Step = tuple[Tensor, Tensor, Tensor]


def steps_of(objective: Objective, count: int, rows: int) -> list[Step]:
    generator = torch.Generator().manual_seed(3)
    steps = []
    for _ in range(count):
        outputs = torch.randn(rows, objective.outputs, generator=generator) * 1e3
        classes = torch.randint(3, (rows,), generator=generator)
        targets = classes if objective.outputs == 3 else torch.randn(rows, generator=generator)
        steps.append((outputs, targets, objective.loss_sum(outputs, targets)))
    return steps


def sums(objective: Objective, steps: list[Step]) -> EpochSums:
    added = EpochSums(objective, CPU)
    for step in steps:
        added.add(*step, samples=len(step[0]))
    return added


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("count", "rows"), [(1, 5), (16, 5), (37, 5), (3, 70_000), (20, 0)])
def test_the_sums_are_those_over_all_rows(objective: Objective, count: int, rows: int) -> None:
    steps = steps_of(objective, count, rows)
    expected = torch.stack([objective.tally(*step) for step in steps]).sum(dim=0)
    torch.testing.assert_close(sums(objective, steps).total(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("done", range(0, 38, 3))
def test_a_pause_changes_no_bit(objective: Objective, done: int) -> None:
    steps = steps_of(objective, 37, 11)
    resumed = EpochSums(objective, CPU)
    resumed.load({name: value.clone() for name, value in sums(objective, steps[:done]).tensors().items()})
    for step in steps[done:]:
        resumed.add(*step, samples=11)
    assert torch.equal(resumed.total(), sums(objective, steps).total())


def test_small_steps_wait_and_large_ones_do_not() -> None:
    assert len(sums(REGRESSION, steps_of(REGRESSION, 3, 5)).tensors()) == 4
    assert len(sums(REGRESSION, steps_of(REGRESSION, 16, 5)).tensors()) == 1, "nor do many"
    assert len(sums(REGRESSION, steps_of(REGRESSION, 3, 70_000)).tensors()) == 1
    assert len(sums(CLASSIFICATION, steps_of(CLASSIFICATION, 1, 30_000)).tensors()) == 1, "a row has an output a class"


@pytest.mark.parametrize("again", [EpochSums.clear, lambda sums: sums.load(EpochSums(REGRESSION, CPU).tensors())])
def test_what_waits_does_not_outlive_its_epoch(again: Callable[[EpochSums], None]) -> None:
    waiting = sums(REGRESSION, steps_of(REGRESSION, 3, 5))
    again(waiting)
    assert not waiting.total().any()


def test_the_sums_of_several_ranks_come_together_with_what_waits() -> None:
    ranks = [steps_of(REGRESSION, 21, rows) for rows in (6, 5, 0)]
    together = EpochSums(REGRESSION, CPU)
    together.load_all([sums(REGRESSION, steps).tensors() for steps in ranks])
    expected = torch.stack([sums(REGRESSION, steps).total() for steps in ranks]).sum(dim=0)
    torch.testing.assert_close(together.total(), expected)
    together.clear()
    assert not together.total().any()
