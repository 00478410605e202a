"""Which rows are trained on, which validate and which test, where a recipe holds back fractions of one table.

Every class is held back by the same fraction, as far as whole rows allow. What becomes of a row depends on the seed, on
its class and on how many rows of that class come before it: not on ranks, files, pieces or memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.seeds import derived_seed
from trainingjob_api.spec.training import Data

Counts = NDArray[np.int64]
Parts = NDArray[np.int8]
"""Of each row."""
Mask = NDArray[np.bool_]

_BLOCK = 4096
"""Rows of a class that are shuffled together."""


class Part(IntEnum):
    """What a row is for."""

    TRAINING = 0
    VALIDATION = 1
    TEST = 2


@dataclass(frozen=True)
class Fractions:
    """Of all rows; None: no rows, or files of their own."""

    validation: float | None
    test: float | None

    @classmethod
    def of(cls, data: Data) -> "Fractions":
        return cls(*(held.fraction if held else None for held in (data.validation, data.test)))

    @property
    def parts(self) -> Sequence[Part]:
        """What rows are held back for."""
        given = {Part.VALIDATION: self.validation, Part.TEST: self.test}
        return [part for part, fraction in given.items() if fraction is not None]

    def counts(self, rows: int, name: str) -> tuple[int, int]:
        """Rows that validate and that test: at least one each, and at least one is left. name: of the data."""
        if self.parts and rows <= len(self.parts):
            has, what = ("one row", "it") if rows == 1 else (f"{rows} rows", "they")
            raise DataError(f"{name} has {has}: {what} cannot be split for {' and '.join(map(_word, self.parts))}")
        validation, test = (
            0 if share is None else max(1, round(share * rows)) for share in (self.validation, self.test)
        )
        test = min(test, rows - 1 - min(1, validation))
        return min(validation, rows - 1 - test), test


def _word(part: Part) -> str:
    return part.name.lower()


def at_the_end(rows: int, fractions: Fractions, name: str) -> Parts:
    """Of a time series: training, then validation, then test."""
    validation, test = fractions.counts(rows, name)
    return np.repeat(np.array(Part, dtype=np.int8), [rows - validation - test, validation, test])


class Dealer:
    """Deals rows that come one after the other, in the order of the files."""

    def __init__(self, seed: int, classes: Counts, fractions: Fractions, name: str) -> None:
        """classes: how many rows each has in all; a regression has one."""
        self._seed, self._classes = seed, classes
        validation, test = fractions.counts(int(classes.sum()), name)
        self._validation = apportioned(classes, validation, classes - 1)
        self._held = self._validation + apportioned(classes, test, classes - 1 - self._validation)
        self._dealt = np.zeros_like(classes)
        self._block: dict[int, tuple[int, Parts]] = {}
        for part, count in ((Part.VALIDATION, self._validation), (Part.TEST, self._held - self._validation)):
            if part in fractions.parts and not count.any():
                raise DataError(f"{name}: no class has rows enough for {_word(part)}; give files of their own")

    def deal(self, numbers: Counts) -> Parts:
        """The parts of the next rows, which are of these classes."""
        parts = np.empty(len(numbers), dtype=np.int8)
        order = np.argsort(numbers, kind="stable")
        counts = np.bincount(numbers, minlength=len(self._classes))
        ends = np.cumsum(counts)
        for number in np.flatnonzero(counts).tolist():
            parts[order[ends[number] - counts[number] : ends[number]]] = self._next(number, int(counts[number]))
        return parts

    def _next(self, number: int, count: int) -> Parts:
        """Of the next so many rows of a class."""
        begin = int(self._dealt[number])
        self._dealt[number] += count
        blocks = range(begin // _BLOCK, (begin + count - 1) // _BLOCK + 1)
        parts = np.concatenate([self._shuffled(number, block) for block in blocks])
        first = begin - blocks[0] * _BLOCK
        return parts[first : first + count]

    def _shuffled(self, number: int, block: int) -> Parts:
        """Of the rows of a block of a class."""
        if self._block.get(number, (-1,))[0] != block:
            begin = block * _BLOCK
            rows = min(_BLOCK, int(self._classes[number]) - begin)
            (validation, held), (validation_before, held_before) = (
                self._held_up_to(number, end) for end in (begin + rows, begin)
            )
            validation, held = validation - validation_before, held - held_before
            parts = np.repeat(np.array(Part, dtype=np.int8), [rows - held, validation, held - validation])
            generator = torch.Generator().manual_seed(derived_seed(self._seed, "split", number, block))
            self._block[number] = block, parts[torch.randperm(rows, generator=generator).numpy()]
        return self._block[number][1]

    def _held_up_to(self, number: int, row: int) -> tuple[int, int]:
        """How many of a class's rows before this one validate, and how many validate or test."""
        held = int(self._held[number])
        so_far = row * held // int(self._classes[number])
        return so_far * int(self._validation[number]) // max(1, held), so_far


def apportioned(classes: Counts, rows: int, most: Counts) -> Counts:
    """So many rows taken from the classes in proportion, by largest remainders.

    From none more than `most`, from each at least one where that allows it, although the sum may be more then.
    """
    most = most.clip(min=0)
    least = most.clip(max=1)
    shares = classes * (rows / classes.sum())
    taken = np.floor(shares).astype(np.int64).clip(least, most) if rows else np.zeros_like(classes)
    while (missing := rows - int(taken.sum())) != 0:
        step, bound = (1, most) if missing > 0 else (-1, least)
        places = np.flatnonzero(taken != bound)
        if not len(places):
            break
        by_need = places[np.argsort(step * (taken - shares)[places], kind="stable")]
        taken[by_need[: abs(missing)]] += step
    return taken


def drawn_at_random(rows: int, count: int, seed: int) -> Parts:
    """Of trainings that began before classes were looked at: so many rows validate."""
    parts = np.full(rows, Part.TRAINING, dtype=np.int8)
    generator = torch.Generator().manual_seed(derived_seed(seed, "split"))
    parts[torch.randperm(rows, generator=generator)[:count].numpy()] = Part.VALIDATION
    return parts
