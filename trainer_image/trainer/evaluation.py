"""Measuring rows that are not trained on, by all ranks together."""

from math import ceil

import torch
from torch import Tensor

from trainer.data.dataset import Rows
from trainer.learner import Learner
from trainer.session import Run
from trainer.state import TrainState
from trainingjob_api.progress import State

_CHUNK = 16_384


def tally_of(run: Run, learner: Learner, state: TrainState, rows: Rows) -> Tensor:
    """This rank's sums over its share of the rows. Looks up between chunks; a stop in here is saved before it."""
    world = run.world
    run.enter(State.EVALUATING)
    total = torch.zeros_like(state.tally)
    learner.model.eval()
    share = Rows(rows.features[world.rank :: world.size], rows.targets[world.rank :: world.size])
    # The same number of chunks on every rank, empty ones included: each ends with a collective.
    for chunk in range(ceil(ceil(len(rows) / world.size) / _CHUNK)):
        part = slice(chunk * _CHUNK, (chunk + 1) * _CHUNK)
        total += learner.measure(Rows(share.features[part], share.targets[part]))
        run.enter(State.EVALUATING)
        if run.should_stop(now=True):
            run.save(state)
    learner.model.train()
    return total
