"""Data that is read once and stays in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from trainer.data.choices import Choices
from trainer.data.classes import Classes
from trainer.data.dataset import DataFacts, Dataset
from trainer.data.reading import Held, Source
from trainer.data.rows import ResidentRows, WindowRows
from trainer.data.samples import Samples
from trainer.data.scaling import Floats, Numbers, Scaling, Statistics
from trainer.data.split import Counts, Dealer, Fractions, Part, Parts, at_the_end, drawn_at_random
from trainer.errors import DataError
from trainingjob_api.spec.training import Data, Training


def load_resident(recipe: Training, source: Source, choices: Choices) -> Dataset:
    data, whole = recipe.data, source.read_training()
    encoding = _Encoding.of(recipe.task, whole)
    targets = encoding.numbers(whole)
    numbers = targets if encoding.classes else np.zeros(len(whole))
    parts = parts_of(data, numbers.astype(np.int64), recipe.seed, choices, whole.name)
    trained = parts == Part.TRAINING
    if encoding.classes:
        encoding.classes.require_all(np.unique(targets[trained]).tolist(), whole.name)
    prepare = _Preparation.fitted(data, whole, whole.inputs[trained], encoding, targets[trained])

    def held_back(part: Part, name: str) -> ResidentRows | WindowRows | None:
        chosen = np.flatnonzero(parts == part)
        if not len(chosen):
            return None
        if data.sequence and choices.as_meant:
            chosen = _with_past(chosen, data.sequence.length + data.sequence.horizon - 1)
        return prepare.rows(whole.inputs[chosen], targets[chosen], f"{whole.name}, {name}")

    def other(held: Held) -> ResidentRows | WindowRows:
        extra = source.read_like(held, whole)
        return prepare.rows(extra.inputs, encoding.numbers(extra), extra.name)

    train = prepare.rows(whole.inputs[trained], targets[trained], whole.name)
    validation, test = held_back(Part.VALIDATION, "what validates"), held_back(Part.TEST, "what tests")
    if data.validation and data.validation.path:
        validation = other(data.validation)
    if data.test and data.test.path:
        test = other(data.test)
    return Dataset(prepare.facts, train, validation, test, _digest(train, validation))


def parts_of(data: Data, classes: Counts, seed: int, choices: Choices, name: str) -> Parts:
    """What each row is for. classes: the number of that of each row, of a regression 0; name: of the data."""
    rows, fractions = len(classes), Fractions.of(data)
    if not fractions.parts:
        return np.full(rows, Part.TRAINING, dtype=np.int8)
    if data.sequence:
        return at_the_end(rows, fractions, name)
    if not choices.by_class:
        return drawn_at_random(rows, fractions.counts(rows, name)[0], seed)
    return Dealer(seed, np.bincount(classes), fractions, name).deal(classes)


def _with_past(rows: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """A stretch of a series, and before it what its first windows look back on: their inputs, nobody's targets."""
    return np.arange(max(0, int(rows[0]) - reach), int(rows[-1]) + 1)


@dataclass(frozen=True)
class _Encoding:
    """Turns targets into numbers: classes into theirs, numbers into themselves."""

    classes: Classes | None

    @classmethod
    def of(cls, task: str, samples: Samples) -> "_Encoding":
        if task == "regression":
            return cls(None)
        return cls(Classes.of(samples.target, pc.unique(samples.labels()).to_pylist(), samples.name))

    def numbers(self, samples: Samples) -> Floats | NDArray[np.int64]:
        if self.classes is None:
            return samples.target_numbers()
        return self.classes.numbers(samples.labels(), samples.where)


@dataclass(frozen=True)
class _Preparation:
    """What training rows, validation rows and test rows go through alike."""

    data: Data
    facts: DataFacts
    of_inputs: Scaling
    """Of the columns; a window repeats them."""

    @classmethod
    def fitted(
        cls, data: Data, whole: Samples, inputs: Numbers, encoding: _Encoding, targets: Floats | NDArray[np.int64]
    ) -> "_Preparation":
        """From the training rows only."""
        of_inputs = scaling_of(Statistics.of(inputs), data, whole.shape, whole.name, whole.features)
        length = data.sequence.length if data.sequence else None
        of_targets = None
        if encoding.classes is None:
            of_targets = target_scaling_of(Statistics.of(targets[:, None]), whole.name, whole.target)
        facts = DataFacts(
            whole.features,
            whole.shape if length is None else (length, *whole.shape),
            whole.target,
            of_inputs if length is None else of_inputs.repeated(length),
            encoding.classes.labels if encoding.classes else None,
            of_targets,
        )
        return cls(data, facts, of_inputs)

    def rows(self, inputs: Numbers, targets: Numbers, name: str) -> ResidentRows | WindowRows:
        scaling, sequence = self.facts.target_scaling, self.data.sequence
        place = partial(column_of, self.facts.features, inputs.shape[1])
        scaled = self.of_inputs.apply_float32(inputs, lambda _, number: f"{name}, {place(number)}")
        features = torch.from_numpy(scaled)
        if scaling:
            targets = scaling.apply_float32(targets[:, None], lambda *_: f"{name}, column {self.facts.target!r}")[:, 0]
        goals = torch.from_numpy(targets)
        if sequence is None:
            return ResidentRows(features, goals)
        windows = WindowRows(features, goals, sequence.length, sequence.horizon)
        if len(windows) == 0:
            raise DataError(
                f"{name}: {len(inputs)} rows are too few for windows of {sequence.length} rows "
                f"whose target lies {sequence.horizon} rows ahead"
            )
        return windows


def scaling_of(
    statistics: Statistics, data: Data, shape: tuple[int, ...], name: str, features: Sequence[str]
) -> Scaling:
    """Images are scaled by channel, everything else by column; name is that of the data."""
    grouped = statistics.by_channel(shape) if len(shape) == 3 else statistics
    columns = len(statistics.mean)
    return grouped.scaling(data.normalize, lambda number: f"{name}, {column_of(features, columns, number)}")


def target_scaling_of(statistics: Statistics, name: str, target: str) -> Scaling:
    """That of a regression's target, as single numbers."""
    scaling = statistics.scaling("standard", lambda _: f"{name}, column {target!r}")
    return Scaling(scaling.shift[0], scaling.scale[0])


def column_of(features: Sequence[str], columns: int, number: int) -> str:
    """For messages. The values of arrays and images have no names of their own."""
    if len(features) == columns:
        return f"column {features[number]!r}"
    return f"{' and '.join(features)}, value {number + 1} of {columns}"


def _digest(*parts: ResidentRows | WindowRows | None) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for tensor in part.tensors if part else ():
            digest.update(tensor.numpy().data)
    return digest.hexdigest()
