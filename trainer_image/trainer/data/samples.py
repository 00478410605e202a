"""Rows as files hold them: before they are split, scaled and moved to a device."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainer.data.classes import Where
from trainer.errors import DataError

TARGETS = "a target is text, numbers or booleans"


@dataclass(frozen=True)
class Samples:
    """All rows that a path leads to."""

    name: str
    features: tuple[str, ...]
    shape: tuple[int, ...]
    """Of one row; of a time series that of one step."""
    inputs: NDArray[Any]
    """(rows, product of the shape); images stay bytes."""
    target: str
    targets: pa.ChunkedArray
    where: Where

    def __len__(self) -> int:
        return len(self.inputs)

    def labels(self) -> pa.ChunkedArray:
        """For classification."""
        row = pc.index(pc.is_finite(self.targets), False).as_py() if pa.types.is_floating(self.targets.type) else -1
        if row >= 0:
            raise DataError(f"{self.where(row)}: the value is {self.targets[row]}")
        return self.targets

    def target_numbers(self) -> NDArray[np.float64]:
        """For regression."""
        if not is_number(self.targets.type):
            texts = self.targets.to_pylist()
            row = next((row for row, text in enumerate(texts) if not reads_as_number(text)), 0)
            raise DataError(f"{self.where(row)}: {texts[row]!r} is not a number")
        values: NDArray[np.float64] = as_floats(self.targets).to_numpy()
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DataError(f"{self.where(row)}: the target is {values[row]}")
        return values


def as_floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers in float64; whole numbers beyond 2**53 are rounded, as by astype."""
    return column.cast(pa.float64(), safe=False)


def shaped(name: str, found: Sequence[int], wanted: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of a row: what the manifest says, if the row has as many values, or what was found."""
    if wanted is None:
        return tuple(found)
    if prod(found) != prod(wanted):
        raise DataError(
            f"{name}: a row has {' x '.join(map(str, found))} = {prod(found)} values, "
            f"data.shape asks for {' x '.join(map(str, wanted))} = {prod(wanted)}"
        )
    return tuple(wanted)


def is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )


def reads_as_number(text: str | None) -> bool:
    try:
        return text is not None and bool(np.isfinite(float(text)))
    except ValueError:
        return False
