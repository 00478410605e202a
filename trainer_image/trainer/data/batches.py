"""Batches of rows that lie on the device: slices of one permutation for each epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.data.dataset import Rows
from trainer.distributed import World
from trainer.seeds import derived_seed


@dataclass(frozen=True)
class Batch:
    """This rank's share of a batch; `size` counts the samples of all ranks together."""

    features: Tensor
    targets: Tensor
    size: int


def epoch_order(rows: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch: by seed and epoch alone, so that it is the same on every rank and after every resume."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    return torch.randperm(rows, generator=generator)


def batches(rows: Rows, batch_size: int, seed: int, epoch: int, consumed: int, world: World) -> Iterator[Batch]:
    """What is left of an epoch after `consumed` samples; every rank takes each world-size-th sample of a batch."""
    order = epoch_order(len(rows), seed, epoch).to(rows.features.device)
    for start in range(consumed, len(rows), batch_size):
        end = min(start + batch_size, len(rows))
        mine = order[start + world.rank : end : world.size]
        yield Batch(rows.features[mine], rows.targets[mine], end - start)
