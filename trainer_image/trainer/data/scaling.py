"""Linear scaling of columns, fitted on training rows only and kept with the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError

Floats = NDArray[np.float64]
Numbers = NDArray[Any]
Kind = Literal["none", "standard", "minMax"]
Place = Callable[[int, int], str]
"""The file and the place in it of a value, by row and column, for people."""
_AT_ONCE = 1 << 22  # values
_AS_FLOAT32 = " for training, which computes in float32: divide the column by a power of ten, or take it out"


@dataclass(frozen=True)
class Scaling:
    """scaled = (value - shift) / scale, for each column."""

    shift: Floats
    scale: Floats

    def apply(self, values: Numbers) -> Floats:
        scaled: Floats = (values - self.shift) / self.scale
        return scaled

    def apply_float32(self, values: Numbers, place: Place) -> NDArray[np.float32]:
        """The same, computed in float64 a few rows at a time: a table that just fits must not be there twice.

        values: (rows, columns), finite. DataError if float32 cannot hold one of them.
        """
        scaled = np.empty(values.shape, dtype=np.float32)
        step = max(1, _AT_ONCE // max(1, values.shape[1]))
        for start in range(0, len(values), step):
            part = scaled[start : start + step]
            with np.errstate(over="ignore"):
                part[:] = self.apply(values[start : start + step])
            if not np.isfinite(part).all():
                row, column = (int(number) for number in np.argwhere(~np.isfinite(part))[0])
                value = values[start + row, column]
                raise DataError(f"{place(start + row, column)}: the value {value} is too large{_AS_FLOAT32}")
        return scaled

    def repeated(self, times: int) -> "Scaling":
        """For a window: the columns of each of its steps."""
        return Scaling(np.tile(self.shift, times), np.tile(self.scale, times))


@dataclass(frozen=True)
class Statistics:
    """What a scaling is made of, for each column; can be gathered piece by piece."""

    rows: int
    mean: Floats
    squares: Floats
    """Sums of squared deviations from the mean."""
    least: Floats
    greatest: Floats

    @classmethod
    def of(cls, values: Numbers) -> "Statistics":
        """Of an array (rows, columns)."""
        step = max(1, _AT_ONCE // max(1, values.shape[1]))
        parts = [cls._of_part(values[start : start + step]) for start in range(0, max(1, len(values)), step)]
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.merged(part)
        return whole

    @classmethod
    def _of_part(cls, values: Numbers) -> "Statistics":
        if len(values) == 0:
            zero, infinity = np.zeros(values.shape[1]), np.full(values.shape[1], np.inf)
            return cls(0, zero, zero, infinity, -infinity)
        exact = values.astype(np.float64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):  # scaling() says which column is too large
            mean = exact.mean(axis=0)
            squares = np.square(exact - mean).sum(axis=0)
        return cls(len(exact), mean, squares, exact.min(axis=0), exact.max(axis=0))

    def merged(self, other: "Statistics") -> "Statistics":
        """Of the rows of both (Chan, Golub and LeVeque, 1979)."""
        rows = self.rows + other.rows
        if self.rows == 0 or other.rows == 0:
            return other if self.rows == 0 else self
        with np.errstate(over="ignore", invalid="ignore"):
            delta = other.mean - self.mean
            mean = self.mean + delta * (other.rows / rows)
            squares = self.squares + other.squares + np.square(delta) * (self.rows * other.rows / rows)
        least, greatest = np.minimum(self.least, other.least), np.maximum(self.greatest, other.greatest)
        return Statistics(rows, mean, squares, least, greatest)

    def by_channel(self, shape: Sequence[int]) -> "Statistics":
        """Every column gets the statistics of all columns of its channel; shape is (channels, height, width)."""
        pixels = shape[1] * shape[2]

        def channels(values: Floats) -> Floats:
            return values.reshape(shape[0], pixels)

        with np.errstate(over="ignore", invalid="ignore"):
            mean = channels(self.mean).mean(axis=1)
            apart = np.square(channels(self.mean) - mean[:, None]).sum(axis=1) * self.rows
            squares = channels(self.squares).sum(axis=1) + apart
        least, greatest = channels(self.least).min(axis=1), channels(self.greatest).max(axis=1)
        parts = (np.repeat(values, pixels) for values in (mean, squares, least, greatest))
        return Statistics(self.rows * pixels, *parts)

    def scaling(self, kind: Kind, column: Callable[[int], str] = str) -> Scaling:
        """A column that never changes is only shifted. DataError if a column's numbers are too large for that.

        column: the file and the name of a column, for people.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaling = self._scaling(kind)
            ends = np.array([scaling.apply(self.least), scaling.apply(self.greatest)]).astype(np.float32)
        fits = np.isfinite(scaling.shift) & np.isfinite(scaling.scale) & np.isfinite(ends).all(axis=0)
        if not fits.all():
            first = int(np.flatnonzero(~fits)[0])
            values = f"the values go from {self.least[first]} to {self.greatest[first]}, too far apart"
            raise DataError(f"{column(first)}: {values}{_AS_FLOAT32}")
        return scaling

    def _scaling(self, kind: Kind) -> Scaling:
        if kind == "none":
            return Scaling(np.zeros(len(self.mean)), np.ones(len(self.mean)))
        if kind == "standard":
            return Scaling(self.mean, self._nonzero(np.sqrt(self.squares / self.rows)))
        return Scaling(self.least, self._nonzero(self.greatest - self.least))

    def _nonzero(self, scale: Floats) -> Floats:
        """Rounding gives a constant column a tiny deviation: divided by it, noise would look like a signal."""
        noise = np.maximum(np.abs(self.least), np.abs(self.greatest)) * 1e-12
        return np.where(scale <= noise, 1.0, scale)
