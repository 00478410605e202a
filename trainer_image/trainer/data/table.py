"""Columns of a csv or parquet file; whatever is wrong with them is named by file, row and column."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainer.data.samples import TARGETS, as_floats, is_number, reads_as_number
from trainer.errors import DataError

_NAMES_SHOWN = 20
_DECIMAL_COMMA = re.compile(r"[-+]?\d+(\.\d{3})*,\d+")


@dataclass(frozen=True)
class Table:
    """A file's columns, or those of a piece of it. Rows count from 1, the line after the header."""

    path: str
    columns: pa.Table
    first_row: int = 0
    """Rows of the file before this piece."""

    @property
    def rows(self) -> int:
        return int(self.columns.num_rows)

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The columns as one array (rows, columns)."""
        result = np.empty((self.rows, len(names)), dtype=np.float64)
        for index, name in enumerate(names):
            result[:, index] = self._number_column(name, names)
        return result

    def labels(self, name: str) -> pa.ChunkedArray:
        """The column's values as they are: text stays text. DataError if they could not be a class or a number."""
        column = self._without_gaps(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_decimal(column.type) or pa.types.is_float16(column.type):
            return as_floats(column)
        return column if is_number(column.type) else self._text(name, column)

    def place(self, name: str, row: int) -> str:
        """For messages."""
        return f"{self.path}, row {self.first_row + row + 1}, column {name!r}"

    def _number_column(self, name: str, inputs: Sequence[str]) -> NDArray[np.float64]:
        column = self.columns.column(name)
        if not is_number(column.type):
            raise self._not_a_number(name, column, inputs)
        column = self._without_gaps(name)
        values: NDArray[np.float64] = as_floats(column).to_numpy()
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise self._bad_value(name, row, f"is {values[row]}")
        return values

    def _text(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        try:
            texts = column.cast(pa.string())
            texts.validate(full=True)  # parquet's text may be anything
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise self._not_text(name, column) from None
        return texts

    def _not_text(self, name: str, column: pa.ChunkedArray) -> DataError:
        try:
            values = column.cast(pa.binary()).to_pylist()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return DataError(f"{self.path}: column {name!r} holds {column.type} values; {TARGETS}")
        row, value = next((row, value) for row, value in enumerate(values) if not _is_utf8(value))
        return self._bad_value(name, row, f"is {value!r}, which is not UTF-8: save the text as UTF-8")

    def _without_gaps(self, name: str) -> pa.ChunkedArray:
        column = self.columns.column(name)
        if column.null_count:
            raise self._bad_value(name, _first(pc.is_null(column)), "is missing")
        return column

    def _not_a_number(self, name: str, column: pa.ChunkedArray, inputs: Sequence[str]) -> DataError:
        texts, out = _texts(column), self._leaving_out(name, inputs)
        if pa.types.is_temporal(column.type):
            row = next((row for row, text in enumerate(texts) if text is not None), 0)
            return self._bad_value(name, row, f"is {texts[row]!r}, a time and not a number{out}")
        for row, text in enumerate(texts):
            if not reads_as_number(text):
                what = "is missing" if text in (None, "") else f"is {text!r}, not a number{_meant(text)}"
                return self._bad_value(name, row, what + (out if self.first_row + row == 0 else ""))
        return DataError(f"{self.path}: column {name!r} holds {column.type} values, not numbers{out}")

    def _leaving_out(self, name: str, inputs: Sequence[str]) -> str:
        """All inputs that begin with something else than a number, this one among them: one advice is enough."""
        others = [each for each in inputs if each == name or self._begins_with_words(each)]
        listed = ", ".join(f'"!{each}"' for each in others[:_NAMES_SHOWN])
        return f'. Leave out what is no number with data.features: ["*", {listed}], or put numbers in its place'

    def _begins_with_words(self, name: str) -> bool:
        column = self.columns.column(name)
        first = None if is_number(column.type) else next(iter(_texts(column.slice(0, 1))), None)
        return first is not None and not reads_as_number(first)

    def _bad_value(self, name: str, row: int, what: str) -> DataError:
        return DataError(f"{self.place(name, row)}: the value {what}")


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """Empty for bytes that are not UTF-8, lists and the like."""
    try:
        texts: list[str | None] = column.cast(pa.string()).to_pylist()
    except (ValueError, pa.ArrowNotImplementedError):
        return []
    return texts


def select_features(
    path: str,
    existing: Sequence[str],
    patterns: Sequence[str] | None,
    never: Sequence[str],
    only_by_name: Sequence[str] = (),
) -> tuple[str, ...]:
    """The input columns in the order in which the patterns name them, without those that must not be among them.

    only_by_name: neither all columns nor a glob mean these.
    """
    others = [name for name in existing if name not in never]
    usual = [name for name in others if name not in only_by_name]
    if not usual and patterns is None:
        raise DataError(f"{path} has no column besides {' and '.join(map(repr, existing))}")
    if patterns is None:
        return tuple(usual)
    leaves_out = patterns[0].startswith("!") and patterns[0] not in others
    chosen = dict.fromkeys(usual) if leaves_out else {}
    for pattern in patterns:
        is_left_out = pattern.startswith("!") and pattern not in others
        wanted = pattern[1:] if is_left_out else pattern
        matching = [name for name in others if name == wanted or (name in usual and fnmatchcase(name, wanted))]
        if not matching:
            is_target = any(name == wanted or fnmatchcase(name, wanted) for name in never)
            if is_target and is_left_out:
                continue
            raise _is_target(path, pattern) if is_target else _missing(path, wanted, existing)
        if is_left_out:
            chosen = {name: None for name in chosen if name not in matching}
        else:
            chosen.update(dict.fromkeys(matching))
    if not chosen:
        raise DataError(f"{path}: data.features leaves out every column")
    return tuple(chosen)


def require_columns(path: str, names: Sequence[str], existing: Sequence[str]) -> None:
    """DataError names the first that is not there, and what is."""
    known = set(existing)
    for name in names:
        if name not in known:
            raise _missing(path, name, existing)


def _is_target(path: str, pattern: str) -> DataError:
    return DataError(f"{path}: {pattern!r} in data.features is the target, and no input: leave it out")


def _missing(path: str, name: str, existing: Sequence[str]) -> DataError:
    shown = ", ".join(existing[:_NAMES_SHOWN])
    more = f" and {len(existing) - _NAMES_SHOWN} more" if len(existing) > _NAMES_SHOWN else ""
    return DataError(f"{path}: there is no column {name!r}; the file has {shown}{more}")


def _meant(text: str) -> str:
    return "; a decimal comma is read with data.csv.decimal" if _DECIMAL_COMMA.fullmatch(text) else ""


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _first(mask: pa.ChunkedArray) -> int:
    return int(pc.index(mask, True).as_py())
