"""Reads csv and parquet files whole, as the columns that a recipe names."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from trainer.data.classes import together
from trainer.data.csv_text import Head, Stretch, head_of, parse, stretches_of
from trainer.data.files import File, explained
from trainer.data.notices import Notices, listed
from trainer.data.partitions import require_in_files, varying
from trainer.data.samples import Samples, is_number, shaped
from trainer.data.table import Table, require_columns, select_features
from trainer.errors import DataError
from trainingjob_api.spec.training import Data
from trainingjob_api.spec.training.data import Csv

TableFormat = Literal["csv", "parquet"]


_AS_USUAL = Csv()
_ROW_NUMBERS = re.compile(r"__index_level_\d+__|Unnamed: \d+|")
"""What pandas calls an index that had no name, in parquet, in csv, and in csv that was read and written again."""


@dataclass(frozen=True)
class Columns:
    """Which columns are read, and what they are for."""

    features: tuple[str, ...]
    target: str
    csv: Csv = _AS_USUAL
    """How they are written, if not as parquet."""

    @property
    def names(self) -> list[str]:
        return [*self.features, *([] if self.target in self.features else [self.target])]


def choose_columns(files: Sequence[File], kind: TableFormat, data: Data, as_meant: bool, notices: Notices) -> Columns:
    """The columns that the recipe means; the files must agree on what there is. as_meant: row numbers are no inputs."""
    assert data.target is not None
    written = data.csv or Csv()
    first, *others = [(file, names) for file in files if (names := names_in(file, kind, written))] or [(files[0], ())]
    name, names = first[0].name, first[1]
    if not names:
        raise DataError(f"{name} is empty")
    for file, found in others:
        _require_the_same(found, names, file.name, name)
    _tell_partitions(name, names, data.target, [file.name for file in files], notices)
    require_columns(name, [data.target], names)
    kept_out = _kept_out(data, first[0], kind, written)
    numbers = [each for each in names if _ROW_NUMBERS.fullmatch(each)] if as_meant else []
    features = select_features(name, names, data.features, kept_out, numbers)
    if unused := [repr(each) for each in numbers if each not in features and each != data.target]:
        notices.add(
            f"{name}: row numbers, as pandas writes them, are no inputs unless they are named: {listed(unused)}"
        )
    return Columns(features, data.target, written)


def _tell_partitions(name: str, names: Sequence[str], target: str, paths: Sequence[str], notices: Notices) -> None:
    """Of columns that are in the names of folders."""
    require_in_files(name, target, names, paths)
    if unread := [repr(key) for key in varying(paths) if key not in names]:
        notices.add(f"{name} and more: columns that are only in the names of folders are not read: {listed(unread)}")


def require_in_all(files: Sequence[File], kind: TableFormat, columns: Columns) -> None:
    """Files beside the training files need the columns that are used, and may have others."""
    for file in files:
        if names := names_in(file, kind, columns.csv):
            require_columns(file.name, columns.names, names)


def _kept_out(data: Data, file: File, kind: TableFormat, written: Csv) -> list[str]:
    """A target is no input, except the past of a series, or in a series one that is named as it is."""
    assert data.target is not None
    if data.sequence is None:
        return [data.target]
    is_past = data.sequence.horizon > 0 and is_number(_type_of(data.target, file, kind, written))
    return [] if is_past or data.target in (data.features or ()) else [data.target]


def _type_of(name: str, file: File, kind: TableFormat, written: Csv) -> pa.DataType:
    """Of a column; of csv what the beginning of the file looks like."""
    if kind == "parquet":
        with explained(file):
            return parquet.read_schema(_source(file)).field(name).type
    first = next(parsed(file, head_of(file, written), Columns((), name, written), text_target=False), None)
    return first[1].field(name).type if first else pa.null()


def names_in(file: File, kind: TableFormat, written: Csv) -> Sequence[str]:
    """Of the columns; none in a csv file without lines."""
    if kind == "csv":
        names: Sequence[str] = head_of(file, written).names
    else:
        with explained(file):
            names = parquet.read_schema(_source(file)).names  # a name that is not UTF-8 fails here
    require_unique(file.name, names)
    return names


def require_unique(path: str, names: Sequence[str]) -> None:
    if doubled := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"{path}: the header names {doubled[0]!r} more than once")


def read_samples(
    files: Sequence[File], kind: TableFormat, columns: Columns, shape: Sequence[int] | None, text_target: bool
) -> Samples:
    """All rows of the files, one file after the other. text_target: a class of csv stays text, as in a stream."""
    inputs, targets, tables = [], [], []
    for table in _tables(files, kind, columns, text_target):
        inputs.append(table.numbers(columns.features))
        targets.append(table.labels(columns.target))
        tables.append(Table(table.path, table.columns.select([]), table.first_row))
    if not tables:
        raise DataError(f"{files[0].name} has a header but no rows")
    ends = np.cumsum([len(each) for each in inputs])

    def where(row: int) -> str:
        number = int(np.searchsorted(ends, row, side="right"))
        return tables[number].place(columns.target, row - int(ends[number]) + len(inputs[number]))

    name = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
    return Samples(
        name,
        columns.features,
        shaped(name, [len(columns.features)], shape),
        inputs[0] if len(inputs) == 1 else np.concatenate(inputs),
        columns.target,
        together(targets),
        where,
    )


def _tables(files: Sequence[File], kind: TableFormat, columns: Columns, text_target: bool) -> Iterator[Table]:
    """Those that have rows."""
    for file in files:
        if kind == "csv":
            rows = 0
            for _, content in parsed(file, head_of(file, columns.csv), columns, text_target):
                if content.num_rows:
                    yield Table(file.name, content, rows)
                rows += content.num_rows
        else:
            with explained(file):
                content = parquet.read_table(_source(file), columns=columns.names, partitioning=None)
            if content.num_rows:
                yield Table(file.name, content)


def parsed(file: File, head: Head, columns: Columns, text_target: bool) -> Iterator[tuple[Stretch, pa.Table]]:
    """All of a csv file, stretch by stretch."""
    options, first_row = convert_options(columns, text_target), 0
    for stretch in stretches_of(file, head, columns.csv):
        with explained(file):
            content = parse(stretch.content, head.names, options, columns.csv, file.name, first_row)
        stretch.require_closed(file.name, first_row, content.num_rows)
        yield stretch, content
        first_row += content.num_rows


def convert_options(columns: Columns, text_target: bool) -> csv.ConvertOptions:
    """One file, or a piece of it, does not show what type the classes of all of them have."""
    null_words = columns.csv.null_words
    return csv.ConvertOptions(
        strings_can_be_null=True,
        null_values=None if null_words is None else ["", *null_words],
        decimal_point=columns.csv.decimal,
        include_columns=columns.names,
        column_types={columns.target: pa.binary()} if text_target else None,  # Table says what is not UTF-8
    )


def _source(file: File) -> object:
    return file.place if file.is_local else file.open()


def _require_the_same(found: Sequence[str], expected: Sequence[str], name: str, first: str) -> None:
    in_found, in_expected = set(found), set(expected)
    if missing := [column for column in expected if column not in in_found]:
        raise DataError(f"{name}: there is no column {missing[0]!r}, which {first} has")
    if extra := [column for column in found if column not in in_expected]:
        raise DataError(f"{name}: has a column {extra[0]!r}, which {first} has not")
