"""Which epoch has which batches: stages, budgets and accumulation, worked out once the number of rows is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from trainingjob_api.spec.training import DEFAULT_BATCH_SIZE, DEFAULT_EPOCHS, Budget, Training


@dataclass(frozen=True)
class StagePlan:
    """Epochs that follow each other and have the same batches."""

    first_epoch: int
    epochs: int
    first_step: int
    batch_size: int
    """Samples of all ranks that go through the network together."""
    samples_per_step: int
    """Samples of all ranks that make one optimizer step: those of the batches that are accumulated."""
    steps_per_epoch: int
    rate_factor: float

    @property
    def end(self) -> int:
        """The first epoch after it."""
        return self.first_epoch + self.epochs


class Moment(NamedTuple):
    """A point in training, for schedules: epochs and steps done. Every step of an epoch is the same fraction of it."""

    epochs: float
    steps: int


@dataclass(frozen=True)
class Plan:
    """The whole training."""

    rows: int
    stages: tuple[StagePlan, ...]

    @property
    def epochs(self) -> int:
        return self.stages[-1].end

    @property
    def steps(self) -> int:
        return self.steps_before(self.epochs)

    def stage_at(self, epoch: int) -> StagePlan:
        """The last one for what comes after the end."""
        return next((stage for stage in self.stages if epoch < stage.end), self.stages[-1])

    def steps_before(self, epoch: int) -> int:
        """Optimizer steps of all epochs before this one."""
        stage = self.stage_at(epoch)
        return stage.first_step + (min(epoch, stage.end) - stage.first_epoch) * stage.steps_per_epoch

    def moments(self, epoch: int, consumed: int = 0) -> Iterator[Moment]:
        """Before each step of an epoch that is left after so many samples of it."""
        stage, before = self.stage_at(epoch), self.steps_before(epoch)
        first, left = consumed // stage.samples_per_step, -(-(self.rows - consumed) // stage.samples_per_step)
        per_epoch = stage.steps_per_epoch
        for step in range(first, first + left):
            yield Moment(epoch + step / per_epoch, before + step)

    def last_step_of(self, epoch: int) -> Moment:
        """The moment before the last optimizer step of an epoch."""
        size = self.stage_at(epoch).samples_per_step
        return next(self.moments(epoch, (self.rows - 1) // size * size))


def plan_for(recipe: Training, rows: int) -> Plan:
    """The plan of a recipe for so many training rows."""
    stages, epoch, step = [], 0, 0
    for epochs, batch, factor in _stages(recipe, rows):
        per_step = batch * recipe.gradient.accumulate
        per_epoch = -(-rows // per_step)
        stages.append(StagePlan(epoch, epochs, step, batch, per_step, per_epoch, factor))
        epoch, step = epoch + epochs, step + epochs * per_epoch
    return Plan(rows, tuple(stages))


def notices_of(recipe: Training, plan: Plan) -> Iterator[str]:
    """Of batches that are larger than the data: so few steps are seldom meant."""
    alone = recipe.batch_size or DEFAULT_BATCH_SIZE
    largest = max([stage.batch_size for stage in recipe.stages or ()] or [0 if alone == "all" else alone])
    if largest > plan.rows:
        yield (
            f"batchSize {largest} is more than the {plan.rows} rows that are trained on: an epoch of it is one step, "
            f"and the whole training has {plan.steps}"
        )


def _stages(recipe: Training, rows: int) -> Iterator[tuple[int, int, float]]:
    """Epochs, batch size and factor of the rate."""
    if recipe.stages:
        yield from ((each.epochs, min(each.batch_size, rows), each.learning_rate_factor) for each in recipe.stages)
        return
    size = recipe.batch_size or DEFAULT_BATCH_SIZE
    batch = rows if size == "all" else min(size, rows)
    if recipe.budget is not None:
        yield _epochs_within(recipe.budget, rows, batch * recipe.gradient.accumulate), batch, 1.0
    else:
        yield recipe.total_epochs or DEFAULT_EPOCHS, batch, 1.0


def _epochs_within(budget: Budget, rows: int, samples_per_step: int) -> int:
    """Whole epochs that reach the budget."""
    if budget.steps is not None:
        return -(-budget.steps // -(-rows // samples_per_step))
    assert budget.samples is not None
    return -(-budget.samples // rows)
