"""Batches of rows that lie on the device: slices of one permutation for each epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.data.dataset import Rows
from trainer.distributed import World
from trainer.plan import StagePlan
from trainer.seeds import derived_seed


@dataclass(frozen=True)
class Batch:
    """This rank's share of the rows of one optimizer step."""

    features: Tensor
    targets: Tensor
    size: int
    """Samples of all ranks together."""
    part_size: int
    """How many of them go through the network together; fewer than `size` when gradients are accumulated."""


def epoch_order(rows: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch: by seed and epoch alone, so that it is the same on every rank and after every resume."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    return torch.randperm(rows, generator=generator)


def batches(rows: Rows, stage: StagePlan, seed: int, epoch: int, consumed: int, world: World) -> Iterator[Batch]:
    """What is left of an epoch after `consumed` samples; every rank takes each world-size-th sample of a step."""
    order = epoch_order(len(rows), seed, epoch).to(rows.features.device)
    for start in range(consumed, len(rows), stage.samples_per_step):
        end = min(start + stage.samples_per_step, len(rows))
        features, targets = rows.take(order[start + world.rank : end : world.size])
        yield Batch(features, targets, end - start, stage.batch_size)
