"""What a csv holds, as far as whoever starts a training on it has to know."""

import csv
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_CLASSES = 20
"""A target with more different numbers than these is measured, not sorted."""
_DELIMITERS = (",", ";", "\t")
_LONGEST_NAME = 256


class TableError(ValueError):
    """No csv with names at its top; says what is wrong with it."""


@dataclass(frozen=True)
class Table:
    """What was found in the rows that were looked at."""

    columns: tuple[str, ...]
    rows: int
    delimiter: str
    measured: tuple[str, ...]
    """Columns of many different numbers, or of numbers with fractions: to foresee one of them is regression."""

    def task_of(self, target: str) -> str:
        """Words, and few different whole numbers, are classes."""
        return "regression" if target in self.measured else "classification"


def look_at(lines: Iterable[str], most: int | None = None) -> Table:
    """At so many rows, or all; lines keep their ends. TableError for what the trainer would find minutes later."""
    lines = iter(lines)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
    try:
        header, *rows = itertools.islice((row for row in reader if row), None if most is None else most + 1)
    except (csv.Error, ValueError):
        raise TableError("must be csv with a header") from None
    _check(header, rows)
    columns = zip(header, zip(*rows, strict=True), strict=True)
    measured = tuple(name for name, cells in columns if _is_measured(cells))
    return Table(tuple(header), len(rows), delimiter, measured)


def _check(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if any("\x00" in name for name in header):
        raise TableError("must be csv with a header")
    if len(header) < 2 or len(set(header)) < len(header) or any(not _is_name(name) for name in header):
        raise TableError("the first line must name at least two columns, each differently")
    if all(map(_is_number, header)):
        raise TableError("begins with numbers: put a line with the columns' names at its top")
    if len(rows) < 2:
        raise TableError("at least two rows are needed below the header")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise TableError(f"row {number} has {len(row)} cells, the header {len(header)}")


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_NAME


def _is_measured(cells: Sequence[str]) -> bool:
    try:
        numbers = {float(cell) for cell in cells if cell.strip()}
    except ValueError:
        return False
    return len(numbers) > MOST_CLASSES or any(number % 1 for number in numbers)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
