"""Batches of rows that lie on the device: slices of one order for each epoch."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor

from trainer.data.rows import Rows
from trainer.distributed import World
from trainer.learning.plan import StagePlan

Augment = Callable[[Tensor, Tensor, int], Tensor]
"""(inputs (rows, columns), numbers of the rows, epoch) -> inputs of the same shape."""


class Batch(NamedTuple):
    """This rank's share of the rows of one optimizer step."""

    features: Tensor
    targets: Tensor
    size: int
    """Samples of all ranks together."""
    part_size: int
    """How many of them go through the network together; fewer than `size` when gradients are accumulated."""


def batches(
    rows: Rows, stage: StagePlan, seed: int, epoch: int, consumed: int, world: World, augment: Augment | None = None
) -> Iterator[Batch]:
    """What is left of an epoch after `consumed` samples; every rank takes each world-size-th sample of a step."""
    starts = range(consumed, len(rows), stage.samples_per_step)
    sizes = [min(stage.samples_per_step, len(rows) - start) for start in starts]
    places = (range(start + world.rank, start + size, world.size) for start, size in zip(starts, sizes, strict=True))
    for size, share in zip(sizes, rows.draw(seed, epoch, places), strict=True):
        features = augment(share.features, share.numbers, epoch) if augment else share.features
        yield Batch(features, share.targets, size, stage.batch_size)
