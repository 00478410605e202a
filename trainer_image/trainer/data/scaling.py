"""Linear scaling of columns, fitted on training rows only and kept with the model."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """scaled = (value - shift) / scale, for each column."""

    shift: Floats
    scale: Floats

    def apply(self, values: Floats) -> Floats:
        return (values - self.shift) / self.scale


def fit(values: Floats, kind: Literal["none", "standard", "minMax"]) -> Scaling:
    """Fitted to an array (rows, columns); a column that never changes is only shifted."""
    if kind == "none":
        return Scaling(np.zeros(values.shape[1]), np.ones(values.shape[1]))
    if kind == "standard":
        return Scaling(values.mean(axis=0), _nonzero(values.std(axis=0), values))
    return Scaling(values.min(axis=0), _nonzero(np.ptp(values, axis=0), values))


def _nonzero(scale: Floats, values: Floats) -> Floats:
    """Rounding gives a constant column a tiny deviation: divided by it, noise would look like a signal."""
    noise = np.abs(values).max(axis=0) * 1e-12
    return np.where(scale <= noise, 1.0, scale)
