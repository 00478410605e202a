"""Which rows of a stream are trained on, which validate and which test, piece by piece."""

from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.data.classes import Classes
from trainer.data.pieces import Piece
from trainer.data.split import Dealer, Mask, Part, Parts
from trainer.data.table import Table
from trainer.seeds import derived_seed


class Split(Protocol):
    """Which rows of a piece belong together."""

    def rows(self, piece: Piece) -> int: ...

    def mask(self, piece: Piece) -> Mask | None:
        """None: all of them."""
        ...


class Whole:
    """Nothing is held back."""

    def rows(self, piece: Piece) -> int:
        return piece.rows

    def mask(self, piece: Piece) -> Mask | None:
        return None


@dataclass(frozen=True)
class Dealt:
    """The rows of one part, as they were dealt: a bit for each."""

    part: Part
    bits: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    """By the rows before the piece."""
    counts: dict[int, int] = field(default_factory=dict)

    def note(self, piece: Piece, parts: Parts) -> None:
        mask = parts == self.part
        self.bits[piece.first], self.counts[piece.first] = np.packbits(mask), int(mask.sum())

    def rows(self, piece: Piece) -> int:
        return self.counts[piece.first]

    def mask(self, piece: Piece) -> Mask | None:
        return np.unpackbits(self.bits[piece.first], count=piece.rows).astype(np.bool_)


@dataclass(frozen=True)
class DrawnByPiece:
    """Of trainings that began before classes were looked at: a fraction of each piece is held back, or all but that."""

    seed: int
    fraction: float
    held_back: bool = False

    def rows(self, piece: Piece) -> int:
        held = self._held(piece)
        return held if self.held_back else piece.rows - held

    def mask(self, piece: Piece) -> Mask:
        """Drawn by seed and piece alone, so that nothing has to be remembered of the rows."""
        mask = np.zeros(piece.rows, dtype=np.bool_)
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "split", piece.first))
        mask[torch.randperm(piece.rows, generator=generator)[: self._held(piece)].numpy()] = True
        return mask if self.held_back else ~mask

    def _held(self, piece: Piece) -> int:
        """So that all pieces together hold back the fraction, whatever their sizes are."""
        return ceil(self.fraction * (piece.first + piece.rows)) - ceil(self.fraction * piece.first)


@dataclass(frozen=True)
class Splits:
    """The rows of the training files by what they are for."""

    target: str
    training: Split = field(default_factory=Whole)
    validation: Split | None = None
    test: Split | None = None
    dealer: Dealer | None = None
    classes: Classes | None = None
    """Known beforehand where rows are dealt by class."""

    def deal(self, piece: Piece, table: Table) -> None:
        """Once, in the order of the files."""
        if self.dealer is None:
            return
        target, numbers = self.target, np.zeros(piece.rows, dtype=np.int64)
        if self.classes is not None:
            numbers = self.classes.numbers(table.labels(target), lambda row: table.place(target, row))
        parts = self.dealer.deal(numbers)
        for split in (self.training, self.validation, self.test):
            if isinstance(split, Dealt):
                split.note(piece, parts)
