"""Rows that the loop draws from: tensors on the device, or windows that slide over one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from trainer.seeds import derived_seed

_BLOCK_VALUES = 1 << 18
"""Inputs of rows that are gathered at once: they are still in the processor's cache when their step comes."""


class Share(NamedTuple):
    """One rank's rows of one optimizer step."""

    numbers: Tensor
    """Which rows they are, whatever the order of the epoch: (rows,) int64."""
    features: Tensor
    targets: Tensor


class Rows(Protocol):
    """Inputs (rows, product of the shape) in float32; targets are class numbers (int64) or scaled values (float32)."""

    def __len__(self) -> int: ...

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the rows of these numbers, in that order."""
        ...

    def draw(self, seed: int, epoch: int, places: Iterable[range]) -> Iterator[Share]:
        """The rows at these places of the epoch's order; the places ascend, and some may be empty.

        The order comes from seed and epoch alone: the same on every rank and after every resume.
        """
        ...

    def to(self, device: torch.device) -> "Rows": ...


def epoch_order(rows: int, seed: int, *parts: int) -> Tensor:
    """A permutation that comes from the seed and the parts (epoch, and what an epoch is made of) alone."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", *parts))
    return torch.randperm(rows, generator=generator)


@dataclass(frozen=True)
class ResidentRows:
    """Every row lies on the device."""

    features: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        numbers = numbers.to(self.features.device)
        return self.features.index_select(0, numbers), self.targets.index_select(0, numbers)

    @property
    def inputs(self) -> int:
        """Of a row, one at least."""
        return max(1, self.features[:1].numel())

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.features, self.targets

    def draw(self, seed: int, epoch: int, places: Iterable[range]) -> Iterator[Share]:
        return _draw(self, epoch_order(len(self), seed, epoch).to(self.features.device), places)

    def to(self, device: torch.device) -> "ResidentRows":
        return ResidentRows(self.features.to(device), self.targets.to(device))


@dataclass(frozen=True)
class WindowRows:
    """Windows over a series (steps, features) on the device; each is gathered when it is taken.

    Row n sees the steps n to n + length - 1, flat; its target is that of the step `horizon` after the last of them.
    """

    series: Tensor
    targets: Tensor
    length: int
    horizon: int

    def __len__(self) -> int:
        return max(0, len(self.series) - self.length - self.horizon + 1)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        numbers = numbers.to(self.series.device)
        steps = numbers[:, None] + torch.arange(self.length, device=self.series.device)
        return self.series[steps].flatten(1), self.targets[numbers + (self.length - 1 + self.horizon)]

    @property
    def inputs(self) -> int:
        """Of a row."""
        return self.length * self.series.shape[1]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.series, self.targets

    def draw(self, seed: int, epoch: int, places: Iterable[range]) -> Iterator[Share]:
        return _draw(self, epoch_order(len(self), seed, epoch).to(self.series.device), places)

    def to(self, device: torch.device) -> "WindowRows":
        return WindowRows(self.series.to(device), self.targets.to(device), self.length, self.horizon)


def _draw(rows: ResidentRows | WindowRows, order: Tensor, places: Iterable[range]) -> Iterator[Share]:
    for block in _blocks(places, _BLOCK_VALUES // rows.inputs):
        numbers = torch.cat([order[place.start : place.stop : place.step] for place in block])
        sizes = [len(place) for place in block]
        shares = (torch.split(tensor, sizes) for tensor in (numbers, *rows.take(numbers)))
        yield from map(Share, *shares)


def _blocks(places: Iterable[range], rows: int) -> Iterator[list[range]]:
    """Places that have at least so many rows together, so that few calls gather the rows of many small steps."""
    block: list[range] = []
    wanted = rows
    for place in places:
        block.append(place)
        wanted -= len(place)
        if wanted <= 0:
            yield block
            block, wanted = [], rows
    if block:
        yield block
