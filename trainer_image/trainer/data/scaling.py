"""Linear scaling of columns, fitted on training rows only and kept with the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[Any]
Kind = Literal["none", "standard", "minMax"]
_AT_ONCE = 1 << 22  # values


@dataclass(frozen=True)
class Scaling:
    """scaled = (value - shift) / scale, for each column."""

    shift: Floats
    scale: Floats

    def apply(self, values: Numbers) -> Floats:
        scaled: Floats = (values - self.shift) / self.scale
        return scaled

    def apply_float32(self, values: Numbers) -> NDArray[np.float32]:
        """The same, computed in float64 a few rows at a time: a table that just fits must not be there twice."""
        scaled = np.empty(values.shape, dtype=np.float32)
        step = max(1, _AT_ONCE // max(1, values.shape[1]))
        for start in range(0, len(values), step):
            scaled[start : start + step] = self.apply(values[start : start + step])
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
        mean = exact.mean(axis=0)
        squares = np.square(exact - mean).sum(axis=0)
        return cls(len(exact), mean, squares, exact.min(axis=0), exact.max(axis=0))

    def merged(self, other: "Statistics") -> "Statistics":
        """Of the rows of both (Chan, Golub and LeVeque, 1979)."""
        rows = self.rows + other.rows
        if self.rows == 0:
            return other
        delta = other.mean - self.mean
        return Statistics(
            rows,
            self.mean + delta * (other.rows / rows),
            self.squares + other.squares + np.square(delta) * (self.rows * other.rows / rows),
            np.minimum(self.least, other.least),
            np.maximum(self.greatest, other.greatest),
        )

    def by_channel(self, shape: Sequence[int]) -> "Statistics":
        """Every column gets the statistics of all columns of its channel; shape is (channels, height, width)."""
        pixels = shape[1] * shape[2]

        def channels(values: Floats) -> Floats:
            return values.reshape(shape[0], pixels)

        mean = channels(self.mean).mean(axis=1)
        apart = np.square(channels(self.mean) - mean[:, None]).sum(axis=1) * self.rows
        squares = channels(self.squares).sum(axis=1) + apart
        least, greatest = channels(self.least).min(axis=1), channels(self.greatest).max(axis=1)
        parts = (np.repeat(values, pixels) for values in (mean, squares, least, greatest))
        return Statistics(self.rows * pixels, *parts)

    def scaling(self, kind: Kind) -> Scaling:
        """A column that never changes is only shifted."""
        if kind == "none":
            return Scaling(np.zeros(len(self.mean)), np.ones(len(self.mean)))
        if kind == "standard":
            return Scaling(self.mean, self._nonzero(np.sqrt(self.squares / self.rows)))
        return Scaling(self.least, self._nonzero(self.greatest - self.least))

    def _nonzero(self, scale: Floats) -> Floats:
        """Rounding gives a constant column a tiny deviation: divided by it, noise would look like a signal."""
        noise = np.maximum(np.abs(self.least), np.abs(self.greatest)) * 1e-12
        return np.where(scale <= noise, 1.0, scale)
