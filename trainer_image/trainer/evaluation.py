"""The numbers of an epoch, and of rows that are not trained on, measured by all ranks together."""

from math import ceil

import torch
from torch import Tensor

from trainer.clock import EpochClock
from trainer.data.dataset import Dataset
from trainer.data.rows import Rows
from trainer.errors import NonFinite
from trainer.learner import Learner
from trainer.objectives import Measures
from trainer.session import Run
from trainer.state import TrainState
from trainingjob_api.progress import EpochMetrics, State

_CHUNK = 16_384


def measure_epoch(
    run: Run, learner: Learner, state: TrainState, data: Dataset, learning_rate: float, clock: EpochClock
) -> EpochMetrics:
    """The same on every rank; the only host synchronisation of an epoch."""
    # Each rank has running statistics of its own shares; rank 0's are those that a checkpoint holds.
    run.world.share(learner.model.buffers())
    parts = [state.tally]
    if data.validation is not None:
        parts.append(tally_of(run, learner, state, data.validation))
    sums = run.world.sum_on_all(torch.cat(parts))
    count = learner.objective.sums
    train = learner.objective.measures(sums[:count], len(data.train))
    held_back = learner.objective.measures(sums[count:], len(data.validation)) if data.validation is not None else None
    run.board.gradient_norm = learner.gradient_norm
    return _describe(state.position.epoch + 1, train, held_back, learning_rate, len(data.train), clock)


def _describe(
    epoch: int, train: Measures, held_back: Measures | None, learning_rate: float, rows: int, clock: EpochClock
) -> EpochMetrics:
    try:
        return EpochMetrics(
            epoch=epoch,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            train_mae=train.mae,
            validation_loss=held_back.loss if held_back else None,
            validation_accuracy=held_back.accuracy if held_back else None,
            validation_mae=held_back.mae if held_back else None,
            learning_rate=learning_rate,
            seconds_per_epoch=clock.total(),
            samples_per_second=rows / clock.training,
        )
    except ValueError as error:  # the model of a metric takes no NaN
        raise NonFinite(
            f"epoch {epoch} gave a loss of {train.loss}, {held_back and held_back.loss} held back"
        ) from error


def tally_of(run: Run, learner: Learner, state: TrainState, rows: Rows) -> Tensor:
    """This rank's sums over its share of the rows. Looks up between chunks; a stop in here is saved before it."""
    world = run.world
    run.enter(State.EVALUATING)
    total = torch.zeros_like(state.tally)
    learner.model.eval()
    share = torch.arange(world.rank, len(rows), world.size)
    # The same number of chunks on every rank, empty ones included: each ends with a collective.
    for chunk in range(ceil(ceil(len(rows) / world.size) / _CHUNK)):
        total += learner.measure(*rows.take(share[chunk * _CHUNK : (chunk + 1) * _CHUNK]))
        run.enter(State.EVALUATING)
        if run.should_stop(now=True):
            run.save(state)
    learner.model.train()
    return total
