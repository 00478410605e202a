"""Reads a csv file into columns; whatever is wrong with it is named by file, row and column."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from trainer.errors import DataError

Label = str | int | float | bool
_NAMES_SHOWN = 20


@dataclass(frozen=True)
class Table:
    """A file's columns. Rows count from 1, the line after the header."""

    path: str
    columns: pa.Table

    @property
    def names(self) -> list[str]:
        return list(self.columns.column_names)

    @property
    def rows(self) -> int:
        return int(self.columns.num_rows)

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The columns as one array (rows, columns)."""
        result = np.empty((self.rows, len(names)), dtype=np.float64)
        for index, name in enumerate(names):
            result[:, index] = self._number_column(name)
        return result

    def labels(self, name: str) -> list[Label]:
        """The column's values as they are: text stays text."""
        column = self._column(name)
        if column.null_count:
            raise self._bad_value(name, _first(pc.is_null(column)), "is missing")
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.string())
        values: list[Label] = column.to_pylist()
        return values

    def _number_column(self, name: str) -> NDArray[np.float64]:
        column = self._column(name)
        if pa.types.is_string(column.type) or not _is_number(column.type):
            raise self._not_a_number(name, column)
        if column.null_count:
            raise self._bad_value(name, _first(pc.is_null(column)), "is missing")
        values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise self._bad_value(name, row, f"is {values[row]}")
        return values

    def _column(self, name: str) -> pa.ChunkedArray:
        require_column(self.path, name, self.names)
        return self.columns.column(name)

    def _not_a_number(self, name: str, column: pa.ChunkedArray) -> DataError:
        for row, text in enumerate(column.cast(pa.string()).to_pylist()):
            if not _reads_as_number(text):
                return self._bad_value(name, row, "is missing" if text in (None, "") else f"is {text!r}, not a number")
        return DataError(f"{self.path}: column {name!r} holds {column.type} values, not numbers")

    def _bad_value(self, name: str, row: int, what: str) -> DataError:
        return DataError(f"{self.path}, row {row + 1}, column {name!r}: the value {what}")


def read_table(path: Path, shown_as: str) -> Table:
    """Reads a csv or csv.gz file; shown_as is the path that the manifest uses."""
    try:
        columns = csv.read_csv(path, convert_options=csv.ConvertOptions(strings_can_be_null=True))
    except FileNotFoundError:
        raise DataError(f"{shown_as} does not exist{_what_exists(path)}") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{shown_as} cannot be read: {error}") from error
    table = Table(shown_as, columns)
    if doubled := sorted({name for name in table.names if table.names.count(name) > 1}):
        raise DataError(f"{shown_as}: the header names {doubled[0]!r} more than once")
    if table.rows == 0:
        raise DataError(f"{shown_as} has a header but no rows")
    return table


def select_features(table: Table, patterns: Sequence[str] | None, target: str) -> list[str]:
    """The input columns in the order in which the patterns name them; never the target."""
    require_column(table.path, target, table.names)
    others = [name for name in table.names if name != target]
    if not others:
        raise DataError(f"{table.path} has no column besides the target {target!r}")
    if patterns is None:
        return others
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matching = [name for name in others if name == pattern or fnmatchcase(name, pattern)]
        if not matching:
            raise _missing(table.path, pattern, table.names)
        chosen.update(dict.fromkeys(matching))
    return list(chosen)


def require_column(path: str, name: str, existing: Sequence[str]) -> None:
    if name not in existing:
        raise _missing(path, name, existing)


def _missing(path: str, name: str, existing: Sequence[str]) -> DataError:
    shown = ", ".join(existing[:_NAMES_SHOWN])
    more = f" and {len(existing) - _NAMES_SHOWN} more" if len(existing) > _NAMES_SHOWN else ""
    return DataError(f"{path}: there is no column {name!r}; the file has {shown}{more}")


def _what_exists(path: Path) -> str:
    """What a person may have meant instead."""
    if not path.parent.is_dir():
        return f", nor does the folder {path.parent}: is the volume mounted there?"
    names = sorted(entry.name for entry in path.parent.iterdir() if not entry.name.startswith("."))
    return f"; the folder holds {', '.join(names[:_NAMES_SHOWN])}" if names else "; the folder is empty"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _reads_as_number(text: str | None) -> bool:
    try:
        return text is not None and bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _first(mask: pa.ChunkedArray) -> int:
    return int(
        np.flatnonzero(mask.to_numpy(zero_copy_only=False) if isinstance(mask, pa.Array) else mask.to_numpy())[0]
    )
