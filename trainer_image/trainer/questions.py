"""Rows that a finished model is asked about: what it cannot answer is a ValueError with row and column."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
_NAMES_SHOWN = 20


class Questions:
    """What the rows of a model are like."""

    def __init__(self, features: Sequence[str], shape: Sequence[int]) -> None:
        self._features, self._shape, self._values = features, tuple(shape), prod(shape)

    def read(self, rows: Any) -> Floats:
        """(rows, values of one). rows: lists, arrays or tensors of numbers, each row flat or with its shape.

        What names its columns, a data frame or dicts, may have them in any order, and others beside them.
        """
        rows = self._in_order(rows)
        try:
            given = np.asarray(rows.detach().cpu() if isinstance(rows, Tensor) else rows)
        except (ValueError, TypeError):  # rows of different lengths, or what is no number
            given = np.empty(0, dtype=object)
        if given.dtype.kind not in "biuf" or given.ndim == 1:
            return self._read_slowly(rows if isinstance(rows, list | tuple) or given.ndim < 2 else given)
        if given.ndim == 0 or not self._fits(given.shape[1:]):
            raise ValueError(f"{self._wanted}; these rows are of the shape {list(given.shape[1:])}")
        values: Floats = given.reshape(len(given), self._values).astype(np.float64)
        self.require(values, np.isfinite(values), "is")
        return values

    def _in_order(self, rows: Any) -> Any:
        """By name, where there are names; what the model does not know is left out."""
        if len(self._features) != self._values:  # pixels, or the steps of a window
            return rows
        if names := _names_of(rows):
            if missing := [name for name in self._features if name not in names]:
                raise ValueError(f"there is no column {missing[0]!r}; the model was trained on {self._columns}")
            wanted = list(self._features)
            return rows.select(wanted) if hasattr(rows, "select") else rows[wanted]
        if isinstance(rows, list | tuple):
            return [[row.get(name) for name in self._features] if isinstance(row, Mapping) else row for row in rows]
        return rows

    def require(self, values: Floats, is_good: NDArray[np.bool_], what: str) -> None:
        """ValueError names the first value that is not good."""
        if not is_good.all():
            row, number = (int(place) for place in np.argwhere(~is_good)[0])
            raise ValueError(f"{self._place(row, number)}: the value {what} {values[row, number]}")

    def _fits(self, shape: tuple[int, ...]) -> bool:
        def without_ones(sizes: tuple[int, ...]) -> list[int]:
            return [size for size in sizes if size != 1]

        return shape == (self._values,) or without_ones(shape) == without_ones(self._shape)

    def _read_slowly(self, rows: Any) -> Floats:
        """Value by value, to find the one that is no number."""
        if _is_one(rows):
            raise ValueError(f"{rows!r:.100} is no list of rows, such as [[1.5, 2.5]]")
        values = [self._row(number, row) for number, row in enumerate(rows)]
        return np.array(values, dtype=np.float64).reshape(len(values), self._values)

    def _row(self, number: int, row: Any) -> list[float]:
        if _is_one(row):
            raise ValueError(
                f"row {number + 1} is {row!r:.100}: a single row is a list in a list, such as [[1.5, 2.5]]"
            )
        flat = list(_flat(row))
        if len(flat) != self._values:
            raise ValueError(f"row {number + 1} has {len(flat)} values; {self._wanted}")
        return [self._number(number, index, value) for index, value in enumerate(flat)]

    def _number(self, row: int, index: int, value: Any) -> float:
        try:
            number = float("" if isinstance(value, str | bytes) else value)
        except (TypeError, ValueError):
            what = "is missing" if value is None else f"is {value!r:.100}, not a number"
            raise ValueError(f"{self._place(row, index)}: the value {what}") from None
        if not isfinite(number):
            raise ValueError(f"{self._place(row, index)}: the value is {number}")
        return number

    @property
    def _columns(self) -> str:
        more = len(self._features) - _NAMES_SHOWN
        return ", ".join(map(repr, self._features[:_NAMES_SHOWN])) + (f" and {more} more" if more > 0 else "")

    @property
    def _wanted(self) -> str:
        return f"a row has {self._values} values, of the shape {list(self._shape)}"

    def _place(self, row: int, number: int) -> str:
        columns = len(self._features)
        if columns == self._values:
            return f"row {row + 1}, column {self._features[number]!r}"
        if len(self._shape) == 2 and columns == self._shape[1]:
            return f"row {row + 1}, step {number // columns + 1}, column {self._features[number % columns]!r}"
        return f"row {row + 1}, value {number + 1} of {self._values}"


def _names_of(rows: Any) -> list[str]:
    """Of a data frame's columns (pandas, polars, pyarrow); none of anything else, or where they are only numbered."""
    names = getattr(rows, "column_names", getattr(rows, "columns", None))
    return [] if names is None else [name for name in names if isinstance(name, str)]


def _is_one(value: Any) -> bool:
    """A single value; a text is one."""
    return isinstance(value, str | bytes) or not isinstance(value, Iterable) or getattr(value, "ndim", None) == 0


def _flat(row: Iterable[Any]) -> Iterator[Any]:
    for value in row:
        if _is_one(value):
            yield value
        else:
            yield from _flat(value)
