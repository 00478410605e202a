"""A recipe's data as the loop uses it: rows, and the facts about them that belong to the model."""

from dataclasses import dataclass, replace
from math import prod

import torch

from trainer.data.classes import Label
from trainer.data.rows import Rows
from trainer.data.scaling import Scaling


@dataclass(frozen=True)
class DataFacts:
    """What a model must know of its data to be used."""

    features: tuple[str, ...]
    """Names of the input columns; of what has no columns, what it is made of."""
    shape: tuple[int, ...]
    """Of one row: (features,), (channels, height, width) or (length, features). Rows themselves are flat."""
    target: str
    scaling: Scaling
    """Of the values of a row."""
    labels: tuple[Label, ...] | None = None
    """Classification: the value of each class, in sorted order."""
    target_scaling: Scaling | None = None
    """Regression: targets are scaled for training; every number that is reported is in their own units."""

    @property
    def inputs(self) -> int:
        """Values of one row."""
        return prod(self.shape)


_STREAM = "stream:"
"""What the digest of rows that stay in their files begins with."""


def streamed(digest: str) -> str:
    """The digest of a stream."""
    return _STREAM + digest


def is_streamed(digest: str) -> bool:
    return digest.startswith(_STREAM)


@dataclass(frozen=True)
class Dataset:
    """Everything that a recipe's data section names."""

    facts: DataFacts
    train: Rows
    validation: Rows | None
    test: Rows | None
    digest: str
    """Of all rows: whether a resumed training sees the same data."""
    notices: tuple[str, ...] = ()
    """What a person should know of it, such as what was not read."""

    def to(self, device: torch.device) -> "Dataset":
        def moved(rows: Rows | None) -> Rows | None:
            return None if rows is None else rows.to(device)

        return replace(self, train=self.train.to(device), validation=moved(self.validation), test=moved(self.test))
