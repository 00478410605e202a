"""Labels to class numbers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainer.errors import DataError

Label = str | int | float | bool
Where = Callable[[int], str]
"""The file and the place in it of a row, for people."""


@dataclass(frozen=True)
class Classes:
    """The value of each class in sorted order; its place is its number."""

    column: str
    labels: tuple[Label, ...]

    @classmethod
    def of(cls, column: str, found: Iterable[Label], name: str) -> "Classes":
        """found: the labels of all rows; name: of the data."""
        labels = tuple(sorted(set(found), key=lambda value: (isinstance(value, str), value)))
        if len(labels) < 2:
            raise DataError(f"{name}: every row has the same {column!r}: there is nothing to tell apart")
        if bad := [label for label in labels if isinstance(label, float) and not isfinite(label)]:
            raise DataError(f"{name}, column {column!r}: a class is {bad[0]}")
        return cls(column, labels)

    def require_all(self, trained: Iterable[int], name: str) -> None:
        """DataError names a class none of whose rows is trained on; trained: the numbers of those that are."""
        known = set(trained)
        if unseen := [label for number, label in enumerate(self.labels) if number not in known]:
            raise DataError(
                f"{name}, column {self.column!r}: all rows of the class {unseen[0]!r} are held back for validation, "
                "none is left to train on: lower validation.fraction, change the seed, give validation.path, or add "
                "such rows"
            )

    def number_of(self, label: Label) -> int:
        """The same whatever type it was read with."""
        return self._known[_key(label)]

    @cached_property
    def _known(self) -> dict[str, int]:
        return {_key(label): number for number, label in enumerate(self.labels)}

    def numbers(self, values: pa.ChunkedArray, where: Where) -> NDArray[np.int64]:
        """The class of each row."""
        unique = pc.unique(values)
        numbers = np.array([self._known.get(_key(value), -1) for value in self._alike(unique)], dtype=np.int64)
        places = pc.index_in(values, value_set=unique).to_numpy()
        chosen: NDArray[np.int64] = numbers[places]
        if len(values) and chosen.min() < 0:
            row = int(np.flatnonzero(chosen < 0)[0])
            raise DataError(f"{where(row)}: the class {values[row].as_py()!r} does not occur in the training data")
        return chosen

    def _alike(self, values: pa.Array) -> Sequence[Label]:
        """Text of csv stays text when it is read: here it becomes what the classes are."""
        if not pa.types.is_string(values.type) or isinstance(self.labels[0], str):
            return values.to_pylist()  # type: ignore[no-any-return]
        try:
            return _trimmed(values).cast(pa.array(self.labels).type).to_pylist()  # type: ignore[no-any-return]
        except (pa.ArrowInvalid, OverflowError):
            return as_read_at_once(values).to_pylist()  # type: ignore[no-any-return]


def _key(label: Label) -> str:
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def as_read_at_once(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Labels that were read as text, with the type that all of them have together; blanks around it do not count."""
    for kind in (pa.int64(), pa.bool_(), pa.float64()):
        try:
            return _trimmed(texts).cast(kind)
        except pa.ArrowInvalid:
            continue
    return texts


def _trimmed(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.ascii_trim(texts, " \t")


def _common(kinds: Iterable[pa.DataType]) -> pa.DataType:
    """Whole numbers stay exact, unless some are fractions or too large for int64."""
    if all(pa.types.is_integer(kind) for kind in kinds) and pa.uint64() not in kinds:
        return pa.int64()
    numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    return pa.float64() if numeric else pa.string()


def together(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """The columns of several files as one; as text if one file has words where another has numbers."""
    kinds = {column.type for column in columns}
    if len(kinds) > 1:
        columns = [column.cast(_common(kinds), safe=False) for column in columns]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], type=columns[0].type)
