"""Training, validation and test rows of a recipe as tensors, and the facts about them that belong to the model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.config import Mounts
from trainer.data import scaling
from trainer.data.rows import ResidentRows, Rows
from trainer.data.scaling import Floats, Scaling
from trainer.data.table import Label, Table, read_table, select_features
from trainer.errors import DataError
from trainer.seeds import derived_seed
from trainingjob_api.spec.training import Data, Training


@dataclass(frozen=True)
class DataFacts:
    """What a model must know of its data to be used."""

    features: tuple[str, ...]
    """Names of the input columns; of what has no columns, what it is made of."""
    shape: tuple[int, ...]
    """Of one row: (features,), (channels, height, width) or (length, features). Rows themselves are flat."""
    target: str
    scaling: Scaling
    labels: tuple[Label, ...] | None = None
    """Classification: the value of each class, in sorted order."""
    target_scaling: Scaling | None = None
    """Regression: targets are scaled for training; every number that is reported is in their own units."""

    @property
    def inputs(self) -> int:
        """Values of one row."""
        return prod(self.shape)


@dataclass(frozen=True)
class Dataset:
    """Everything that a recipe's data section names."""

    facts: DataFacts
    train: Rows
    validation: Rows | None
    test: Rows | None
    digest: str
    """Of all rows: whether a resumed training sees the same data."""

    def to(self, device: torch.device) -> "Dataset":
        def moved(rows: Rows | None) -> Rows | None:
            return rows and rows.to(device)

        return replace(self, train=self.train.to(device), validation=moved(self.validation), test=moved(self.test))


def load_dataset(recipe: Training, mounts: Mounts) -> Dataset:
    """Reads, splits and scales. DataError names file, row and column of what is wrong."""
    data = recipe.data
    assert data.path is not None
    assert data.target is not None
    table = _read(data.path, mounts)
    features = select_features(table, data.features, data.target)
    inputs = table.numbers(features)
    encode = _Targets.of(recipe.task, table, data.target)
    targets = encode.of_table(table)
    held_back = _held_back(data, table, recipe.seed)
    facts, target_scaling = _facts(data, features, inputs[~held_back], encode, targets[~held_back])

    def rows(inputs: Floats, targets: NDArray[np.float64 | np.int64]) -> ResidentRows:
        values = target_scaling.apply(targets.astype(np.float64)) if target_scaling else targets
        kind = torch.float32 if target_scaling else torch.int64
        scaled = torch.from_numpy(facts.scaling.apply(inputs).astype(np.float32))
        return ResidentRows(scaled, torch.from_numpy(values).to(kind))

    def other(path: str) -> ResidentRows:
        extra = _read(path, mounts)
        return rows(extra.numbers(features), encode.of_table(extra))

    train = rows(inputs[~held_back], targets[~held_back])
    validation = rows(inputs[held_back], targets[held_back]) if held_back.any() else None
    if data.validation and data.validation.path:
        validation = other(data.validation.path)
    test = other(data.test.path) if data.test else None
    return Dataset(facts, train, validation, test, _digest(train, validation))


def _read(path: str, mounts: Mounts) -> Table:
    return read_table(mounts.locate(path), shown_as=path)


def _held_back(data: Data, table: Table, seed: int) -> NDArray[np.bool_]:
    """Which rows validate; at least one, and at least one is left to train on."""
    mask = np.zeros(table.rows, dtype=np.bool_)
    fraction = data.validation.fraction if data.validation else None
    if fraction is None:
        return mask
    if table.rows < 2:
        raise DataError(f"{table.path} has one row: it cannot be split for validation")
    count = min(max(1, round(fraction * table.rows)), table.rows - 1)
    generator = torch.Generator().manual_seed(derived_seed(seed, "split"))
    mask[torch.randperm(table.rows, generator=generator)[:count].numpy()] = True
    return mask


def _facts(
    data: Data, features: Sequence[str], inputs: Floats, encode: "_Targets", targets: NDArray[np.float64 | np.int64]
) -> tuple[DataFacts, Scaling | None]:
    target_scaling = scaling.fit(targets[:, None].astype(np.float64), "standard") if encode.labels is None else None
    flat = Scaling(target_scaling.shift[0], target_scaling.scale[0]) if target_scaling else None
    fitted = scaling.fit(inputs, data.normalize)
    assert data.target is not None
    return DataFacts(
        tuple(features), tuple(data.shape or [len(features)]), data.target, fitted, encode.labels, flat
    ), flat


@dataclass(frozen=True)
class _Targets:
    """Turns a target column into numbers."""

    column: str
    labels: tuple[Label, ...] | None

    @classmethod
    def of(cls, task: str, table: Table, column: str) -> "_Targets":
        if task == "regression":
            return cls(column, None)
        values = table.labels(column)
        labels = tuple(sorted(set(values), key=lambda value: (isinstance(value, str), value)))
        if len(labels) < 2:
            raise DataError(f"{table.path}: every row has the same {column!r}: there is nothing to tell apart")
        return cls(column, labels)

    def of_table(self, table: Table) -> NDArray[np.float64 | np.int64]:
        if self.labels is None:
            return table.numbers([self.column])[:, 0]
        numbers = {str(label): number for number, label in enumerate(self.labels)}
        values = [str(value) for value in table.labels(self.column)]
        for row, value in enumerate(values):
            if value not in numbers:
                raise DataError(
                    f"{table.path}, row {row + 1}, column {self.column!r}: "
                    f"the class {value!r} does not occur in the training file"
                )
        return np.array([numbers[value] for value in values], dtype=np.int64)


def _digest(train: ResidentRows, validation: ResidentRows | None) -> str:
    digest = hashlib.sha256()
    for part in (train, validation):
        for tensor in (part.features, part.targets) if part else ():
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
