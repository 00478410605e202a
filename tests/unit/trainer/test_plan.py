"""Which epoch has which batches, and that every sample comes once an epoch, whoever takes it."""

from typing import Any

import pytest
import torch

from support.trainer import Path, recipe
from trainer.data.batches import batches
from trainer.data.rows import ResidentRows
from trainer.distributed import World
from trainer.learning.plan import Moment, notices_of, plan_for
from trainingjob_api.spec.training import Training

CPU = torch.device("cpu")
ROWS = 61


def training(**changes: object) -> Training:
    plain = {"schedule": None, "epochs": 10, "batchSize": 10}
    return Training.model_validate(recipe(Path("/t.csv"), **{**plain, **changes}))


BY_STEPS = {"epochs": None, "budget": {"steps": 21}}
BY_SAMPLES = {"epochs": None, "budget": {"samples": 123}}
STAGES: dict[str, Any] = {
    "epochs": None,
    "batchSize": None,
    "stages": [{"epochs": 2, "batchSize": 10}, {"epochs": 3, "batchSize": 200}],
}


@pytest.mark.parametrize(
    ("changes", "epochs", "samples_per_step", "steps"),
    [
        pytest.param({}, 10, [10], 70, id="an odd last batch is a step"),
        pytest.param({"batchSize": None}, 10, [32], 20, id="batches of 32 if nothing is said"),
        pytest.param({"epochs": None}, 100, [10], 700, id="100 epochs if nothing is said"),
        pytest.param({"batchSize": "all"}, 10, [61], 10, id="all rows in one batch"),
        pytest.param({"batchSize": 1000}, 10, [61], 10, id="a batch larger than the data"),
        pytest.param({"gradient": {"accumulate": 3}}, 10, [30], 30, id="accumulated batches are one step"),
        pytest.param({"gradient": {"accumulate": 50}}, 10, [500], 10, id="more accumulated than there is"),
        pytest.param(BY_STEPS, 3, [10], 21, id="a budget of steps that fits"),
        pytest.param({**BY_STEPS, "budget": {"steps": 22}}, 4, [10], 28, id="a budget of steps ends with its epoch"),
        pytest.param({**BY_STEPS, "gradient": {"accumulate": 2}}, 6, [20], 24, id="a budget counts optimizer steps"),
        pytest.param({**BY_STEPS, "batchSize": "all"}, 21, [61], 21, id="a budget of steps over whole epochs"),
        pytest.param(BY_SAMPLES, 3, [10], 21, id="a budget of samples"),
        pytest.param({**BY_SAMPLES, "budget": {"samples": 1}}, 1, [10], 7, id="at least one epoch"),
        pytest.param(STAGES, 5, [10, 61], 17, id="stages"),
        pytest.param({**STAGES, "gradient": {"accumulate": 4}}, 5, [40, 244], 7, id="accumulation in stages"),
    ],
)
def test_how_much_there_is_to_do(changes: dict[str, Any], epochs: int, samples_per_step: list[int], steps: int) -> None:
    plan = plan_for(training(**changes), ROWS)
    assert (plan.epochs, plan.steps) == (epochs, steps)
    assert [stage.samples_per_step for stage in plan.stages] == samples_per_step


@pytest.mark.parametrize(
    ("epoch", "consumed", "moment"),
    [
        (0, 0, Moment(0.0, 0)),
        (0, 10, Moment(1 / 7, 1)),
        (1, 60, Moment(1 + 6 / 7, 13)),
        (2, 0, Moment(2.0, 14)),
        (4, 0, Moment(4.0, 16)),
        (5, 0, Moment(5.0, 17)),
    ],
)
def test_where_a_training_in_stages_stands(epoch: int, consumed: int, moment: Moment) -> None:
    found = next(plan_for(training(**STAGES), ROWS).moments(epoch, consumed))
    assert (found.epochs, found.steps) == (pytest.approx(moment.epochs), moment.steps)


def test_more_epochs_only_come_after_the_others() -> None:
    few, many = plan_for(training(epochs=4), ROWS), plan_for(training(epochs=9), ROWS)
    for epoch in range(4):
        for consumed in range(0, ROWS, 10):
            assert list(few.moments(epoch, consumed)) == list(many.moments(epoch, consumed))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="plain"),
        pytest.param({"gradient": {"accumulate": 4}}, id="accumulated"),
        pytest.param(STAGES, id="stages"),
        pytest.param({"batchSize": 1}, id="single rows"),
    ],
)
def test_every_sample_comes_exactly_once_an_epoch(changes: dict[str, Any], size: int) -> None:
    plan, rows = plan_for(training(**changes), ROWS), ResidentRows(torch.arange(ROWS), torch.arange(ROWS))
    orders = []
    for epoch in range(plan.epochs):
        ranks = [list(batches(rows, plan.stage_at(epoch), 7, epoch, 0, World(rank, size, CPU))) for rank in range(size)]
        steps = [torch.cat([part.features for part in step]) for step in zip(*ranks, strict=True)]
        assert len(steps) == plan.stage_at(epoch).steps_per_epoch
        assert {batch.part_size for rank in ranks for batch in rank} == {plan.stage_at(epoch).batch_size}
        assert [len(step) for step in steps] == [step.size for step in ranks[0]]
        seen = torch.cat(steps).tolist()
        assert sorted(seen) == list(range(ROWS))
        assert all(torch.equal(batch.features, batch.targets) for rank in ranks for batch in rank)
        orders.append(tuple(seen))
    assert len(set(orders)) == plan.epochs, "every epoch has an order of its own"


@pytest.mark.parametrize("size", [1, 3])
def test_what_is_left_of_an_epoch_is_the_end_of_it(size: int) -> None:
    rows, stage = ResidentRows(torch.arange(ROWS), torch.arange(ROWS)), plan_for(training(), ROWS).stages[0]
    for rank in range(size):
        world = World(rank, size, CPU)
        whole = list(batches(rows, stage, 7, 3, 0, world))
        for done in range(len(whole) + 1):
            left = list(batches(rows, stage, 7, 3, min(done * 10, ROWS), world))
            assert [batch.features.tolist() for batch in left] == [batch.features.tolist() for batch in whole[done:]]


def test_what_augments_is_told_the_rows_and_the_epoch() -> None:
    rows, stage = ResidentRows(torch.arange(ROWS) * 2, torch.arange(ROWS)), plan_for(training(), ROWS).stages[0]
    found = batches(
        rows, stage, 7, 3, 0, World(0, 1, CPU), lambda inputs, numbers, epoch: inputs - numbers + 100 * epoch
    )
    assert all(torch.equal(batch.features, batch.targets + 300) for batch in found)


def test_the_ranks_share_a_step_whose_samples_do_not_depend_on_their_number() -> None:
    rows, stage = ResidentRows(torch.arange(ROWS), torch.arange(ROWS)), plan_for(training(), ROWS).stages[0]

    def of_step(size: int, number: int) -> set[int]:
        shares = [list(batches(rows, stage, 7, 0, 0, World(rank, size, CPU)))[number] for rank in range(size)]
        return {sample for share in shares for sample in share.features.tolist()}

    for number in range(stage.steps_per_epoch):
        assert of_step(1, number) == of_step(2, number) == of_step(5, number)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, None, id="several batches"),
        pytest.param({"batchSize": 61}, None, id="as many as there are rows"),
        pytest.param({"batchSize": "all"}, None, id="all rows, because somebody says so"),
        pytest.param({"batchSize": 64}, "batchSize 64 is more than the 61 rows that are trained on: an epoch of it is"
                     " one step, and the whole training has 10", id="more than there are"),
        pytest.param(STAGES, "batchSize 200 is more than the 61 rows", id="more than there are in a stage"),
    ],
)  # fmt: skip
def test_a_batch_that_is_larger_than_the_data_is_told(changes: dict[str, Any], words: str | None) -> None:
    recipe_ = training(**changes)
    told = list(notices_of(recipe_, plan_for(recipe_, ROWS)))
    assert len(told) == (words is not None)
    assert words is None or told[0].startswith(words)
