"""The numbers of an epoch, and of rows that are not trained on, measured by all ranks together."""

from dataclasses import asdict
from math import ceil

import torch

from trainer.data.dataset import Dataset
from trainer.data.rows import Rows
from trainer.errors import NonFinite
from trainer.learning.clock import EpochClock
from trainer.learning.learner import Learner
from trainer.learning.measures import Measures
from trainer.learning.objectives import Seen
from trainer.learning.roc import Scores
from trainer.learning.state import TrainState
from trainer.session import Run
from trainingjob_api.progress import EpochMetrics, State

_CHUNK = 16_384
_CHUNK_VALUES = 2**22
"""Inputs of the rows that go through the network at once, or outputs of its widest layer."""


def measure_epoch(
    run: Run, learner: Learner, state: TrainState, data: Dataset, learning_rate: float, clock: EpochClock
) -> EpochMetrics:
    """The same on every rank; the only place of an epoch where the host waits for the device."""
    # Each rank has running statistics of its own shares; rank 0's are those that a checkpoint holds.
    run.world.share(learner.model.buffers())
    sums = state.sums.total().clone()  # a stop while rows are looked at saves those of this rank alone
    held_back = None
    if data.validation is not None:
        held_back = learner.objective.evaluation_measures(look_at(run, learner, state, data.validation))
    train = learner.objective.train_measures(run.world.sum_on_all(sums), len(data.train))
    run.board.gradient_norm = learner.gradient_norm
    return _describe(state.epoch + 1, train, held_back, learning_rate, len(data.train), clock)


def _describe(
    epoch: int, train: Measures, held_back: Measures | None, learning_rate: float, rows: int, clock: EpochClock
) -> EpochMetrics:
    fields = {f"train_{name}": value for name, value in asdict(train).items()}
    if held_back is not None:
        fields |= {f"validation_{name}": value for name, value in asdict(held_back).items()}
    pace = {"seconds_per_epoch": clock.total(), "samples_per_second": rows / clock.training}
    try:
        return EpochMetrics.model_validate({"epoch": epoch, "learning_rate": learning_rate, **fields, **pace})
    except ValueError as error:  # the model of a metric takes no NaN
        raise NonFinite(
            f"epoch {epoch} gave a loss of {train.loss}, {held_back and held_back.loss} held back"
        ) from error


def look_at(run: Run, learner: Learner, state: TrainState, rows: Rows, doing: State = State.EVALUATING) -> Seen:
    """Each rank at its share of the rows, and then together.

    Looks up between chunks; a stop in here saves what was before it.
    """
    world, objective = run.world, learner.objective
    run.enter(doing)
    sums = torch.zeros(objective.evaluation_sums, dtype=torch.float64, device=world.device)
    scores = Scores(objective.curves, world.size)
    learner.model.eval()
    share = torch.arange(len(rows))[world.rank :: world.size]
    size = min(_CHUNK, max(1, _CHUNK_VALUES // learner.values_of_a_row))
    # The same number of chunks on every rank, empty ones included: each ends with a collective.
    for chunk in range(ceil(ceil(len(rows) / world.size) / size)):
        features, targets = rows.take(share[chunk * size : (chunk + 1) * size])
        outputs = learner.outputs(features)
        sums += objective.evaluate(outputs, targets)
        scores.add(outputs, targets)
        run.enter(doing)
        if run.should_stop(now=True):
            run.save(state)
    learner.model.train()
    return Seen(len(rows), world.sum_on_all(sums), scores.of_all(world))
