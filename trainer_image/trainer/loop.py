"""The training loop."""

import time

import torch

from trainer.data.batches import batches
from trainer.data.dataset import Dataset
from trainer.early_stopping import criterion, is_spent, watched_value
from trainer.errors import NonFinite
from trainer.evaluation import tally_of
from trainer.learner import Learner
from trainer.objectives import Measures
from trainer.session import Run
from trainer.state import TrainState
from trainingjob_api.progress import EpochMetrics, State


def train(run: Run, learner: Learner, state: TrainState, data: Dataset) -> None:
    """Trains to the last epoch or to where early stopping ends it. A stop on request raises Stopped from `run.save`."""
    recipe, rows = run.config.training, len(data.train)
    while state.position.epoch < recipe.epochs and not is_spent(state.standing, recipe):
        run.enter(State.TRAINING)
        clock = _Clock(state)
        epoch = state.position.epoch
        for batch in batches(data.train, recipe.batch_size, recipe.seed, epoch, state.position.consumed, run.world):
            tally = learner.step(batch, epoch + state.position.consumed / rows)
            state.advance(batch.size, tally)
            run.count_step(batch.size)
            is_last = state.position.consumed == rows  # what is due then comes after the evaluation
            if not is_last and (run.should_stop() or run.save_is_due()):
                clock.note(state)
                run.save(state)
        clock.note(state)
        if run.should_stop(now=True):
            run.save(state)

        metrics = _measure(run, learner, state, data, clock)
        watched = criterion(recipe)
        standing = state.standing.after(metrics, watched_value(metrics, watched), watched.mode, watched.min_delta)
        state.finish_epoch(standing)
        run.report(metrics, standing.metrics)
        if run.save_is_due(epoch_done=True):
            run.save(state)


def _measure(run: Run, learner: Learner, state: TrainState, data: Dataset, clock: "_Clock") -> EpochMetrics:
    """The numbers of the epoch, the same on every rank; the only host synchronisation of an epoch."""
    parts = [state.tally]
    if data.validation is not None:
        parts.append(tally_of(run, learner, state, data.validation))
    sums = run.world.sum_on_all(torch.cat(parts))
    count = learner.objective.sums
    train = learner.objective.measures(sums[:count], len(data.train))
    held_back = learner.objective.measures(sums[count:], len(data.validation)) if data.validation is not None else None
    run.board.gradient_norm = learner.gradient_norm
    rows, batch = len(data.train), run.config.training.batch_size
    # Not what the optimizer has: after a stop between the last step and here it has taken no step in this process.
    rate = learner.rate(state.position.epoch + (rows - 1) // batch * batch / rows)
    return _describe(state.position.epoch + 1, train, held_back, rate, rows, clock)


def _describe(
    epoch: int, train: Measures, held_back: Measures | None, learning_rate: float, rows: int, clock: "_Clock"
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


class _Clock:
    """Time spent in an epoch, earlier attempts included."""

    def __init__(self, state: TrainState) -> None:
        self._before = state.epoch_seconds
        self._begin = time.monotonic()
        self.training = 1e-9

    def total(self) -> float:
        return round(self._before + time.monotonic() - self._begin, 6)

    def note(self, state: TrainState) -> None:
        """Training goes on, or a save follows."""
        state.epoch_seconds = self.training = self.total()
