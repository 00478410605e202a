"""Data that is read once and stays in memory."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from trainer.data.classes import Classes
from trainer.data.dataset import DataFacts, Dataset
from trainer.data.reading import Source
from trainer.data.rows import ResidentRows, WindowRows
from trainer.data.samples import Samples
from trainer.data.scaling import Floats, Numbers, Scaling, Statistics
from trainer.errors import DataError
from trainer.seeds import derived_seed
from trainingjob_api.spec.training import Data, Training


def load_resident(recipe: Training, source: Source) -> Dataset:
    data, whole = recipe.data, source.read_training()
    encoding = _Encoding.of(recipe.task, whole)
    targets = encoding.numbers(whole)
    held_back = held_back_of(data, whole, recipe.seed)
    prepare = _Preparation.fitted(data, whole, whole.inputs[~held_back], encoding, targets[~held_back])

    def other(path: str) -> ResidentRows | WindowRows:
        extra = source.read_like(path, whole)
        return prepare.rows(extra.inputs, encoding.numbers(extra), extra.name)

    train = prepare.rows(whole.inputs[~held_back], targets[~held_back], whole.name)
    validation = None
    if held_back.any():
        validation = prepare.rows(whole.inputs[held_back], targets[held_back], f"{whole.name}, its end")
    if data.validation and data.validation.path:
        validation = other(data.validation.path)
    test = other(data.test.path) if data.test else None
    return Dataset(prepare.facts, train, validation, test, _digest(train, validation))


def held_back_of(data: Data, whole: Samples, seed: int) -> NDArray[np.bool_]:
    """Which rows validate: at least one, and at least one is left to train on. Of a series: its end."""
    mask = np.zeros(len(whole), dtype=np.bool_)
    fraction = data.validation.fraction if data.validation else None
    if fraction is None:
        return mask
    if len(whole) < 2:
        raise DataError(f"{whole.name} has one row: it cannot be split for validation")
    count = min(max(1, round(fraction * len(whole))), len(whole) - 1)
    if data.sequence:
        mask[-count:] = True
    else:
        generator = torch.Generator().manual_seed(derived_seed(seed, "split"))
        mask[torch.randperm(len(whole), generator=generator)[:count].numpy()] = True
    return mask


@dataclass(frozen=True)
class _Encoding:
    """Turns targets into numbers: classes into theirs, numbers into themselves."""

    classes: Classes | None

    @classmethod
    def of(cls, task: str, samples: Samples) -> "_Encoding":
        return cls(
            None
            if task == "regression"
            else Classes.of(samples.target, pc.unique(samples.labels()).to_pylist(), samples.name)
        )

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
        of_inputs = scaling_of(Statistics.of(inputs), data, whole.shape)
        length = data.sequence.length if data.sequence else None
        of_targets = Statistics.of(targets[:, None]).scaling("standard") if encoding.classes is None else None
        facts = DataFacts(
            whole.features,
            whole.shape if length is None else (length, *whole.shape),
            whole.target,
            of_inputs if length is None else of_inputs.repeated(length),
            encoding.classes.labels if encoding.classes else None,
            Scaling(of_targets.shift[0], of_targets.scale[0]) if of_targets else None,
        )
        return cls(data, facts, of_inputs)

    def rows(self, inputs: Numbers, targets: Floats | NDArray[np.int64], name: str) -> ResidentRows | WindowRows:
        scaling, sequence = self.facts.target_scaling, self.data.sequence
        features = torch.from_numpy(self.of_inputs.apply_float32(inputs))
        exact = torch.from_numpy(scaling.apply(targets) if scaling else targets)
        goals = exact.to(torch.float32 if scaling else torch.int64)
        if sequence is None:
            return ResidentRows(features, goals)
        windows = WindowRows(features, goals, sequence.length, sequence.horizon)
        if len(windows) == 0:
            raise DataError(
                f"{name}: {len(inputs)} rows are too few for windows of {sequence.length} rows "
                f"whose target lies {sequence.horizon} rows ahead"
            )
        return windows


def scaling_of(statistics: Statistics, data: Data, shape: tuple[int, ...]) -> Scaling:
    """Images are scaled by channel, everything else by column."""
    return (statistics.by_channel(shape) if len(shape) == 3 else statistics).scaling(data.normalize)


def _digest(*parts: ResidentRows | WindowRows | None) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for tensor in part.tensors if part else ():
            digest.update(tensor.numpy().data)
    return digest.hexdigest()
