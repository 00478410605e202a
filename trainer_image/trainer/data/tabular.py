"""Reads csv and parquet files whole, as the columns that a recipe names."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from trainer.data.classes import together
from trainer.data.files import File, explained
from trainer.data.samples import Samples, is_number, shaped
from trainer.data.table import Table, require_columns, select_features
from trainer.errors import DataError
from trainingjob_api.spec.training import Data

TableFormat = Literal["csv", "parquet"]
TEXT = csv.ConvertOptions(strings_can_be_null=True)
_READING = csv.ReadOptions(block_size=1 << 22)
"""A line, the header as well, must fit into a block; a stream has the same limit."""
_IN_ORDER = csv.ReadOptions(block_size=_READING.block_size, use_threads=False)
"""Slower, but an error in a row knows which one it is."""


@dataclass(frozen=True)
class Columns:
    """Which columns are read, and what they are for."""

    features: tuple[str, ...]
    target: str

    @property
    def names(self) -> list[str]:
        return [*self.features, *([] if self.target in self.features else [self.target])]


def choose_columns(files: Sequence[File], kind: TableFormat, data: Data) -> Columns:
    """The columns that the recipe means; the files must agree on what there is."""
    assert data.target is not None
    schema = schema_of(files[0], kind)
    for file in files[1:]:
        _require_the_same(schema_of(file, kind).names, schema.names, file.name, files[0].name)
    require_columns(files[0].name, [data.target], schema.names)
    return Columns(select_features(files[0].name, schema.names, data.features, _kept_out(data, schema)), data.target)


def require_in_all(files: Sequence[File], kind: TableFormat, columns: Columns) -> None:
    """Files beside the training files need the columns that are used, and may have others."""
    for file in files:
        require_columns(file.name, columns.names, schema_of(file, kind).names)


def _kept_out(data: Data, schema: pa.Schema) -> list[str]:
    """A target is no input, except the past of a series, or in a series one that is named as it is."""
    assert data.target is not None
    if data.sequence is None:
        return [data.target]
    is_past = data.sequence.horizon > 0 and is_number(schema.field(data.target).type)
    return [] if is_past or data.target in (data.features or ()) else [data.target]


def schema_of(file: File, kind: TableFormat) -> pa.Schema:
    """Names and types of the columns; those of csv are guessed from the beginning of the file."""
    with explained(file), _rows_counted_as_ours():
        if kind == "parquet":
            schema = parquet.read_schema(_source(file))
        else:
            with csv.open_csv(csv_source(file), _IN_ORDER, convert_options=TEXT) as reader:
                schema = reader.schema
        require_unique(file.name, schema.names)  # a name that is not UTF-8 fails here
    return schema


def require_unique(path: str, names: Sequence[str]) -> None:
    if doubled := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"{path}: the header names {doubled[0]!r} more than once")


def read_samples(
    files: Sequence[File], kind: TableFormat, columns: Columns, shape: Sequence[int] | None, text_target: bool
) -> Samples:
    """All rows of the files, one file after the other. text_target: a class of csv stays text, as in a stream."""
    inputs, targets, tables = [], [], []
    for file in files:
        table = _read_table(file, kind, columns, text_target)
        inputs.append(table.numbers(columns.features))
        targets.append(table.labels(columns.target))
        tables.append(Table(file.name, table.columns.select([])))
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


def _read_table(file: File, kind: TableFormat, columns: Columns, text_target: bool) -> Table:
    with explained(file):
        if kind == "parquet":
            read = parquet.read_table(_source(file), columns=columns.names, partitioning=None)
        else:
            read = _read_csv(file, convert_options(columns, text_target))
    if read.num_rows == 0:
        raise DataError(f"{file.name} has a header but no rows")
    return Table(file.name, read)


def _read_csv(file: File, options: csv.ConvertOptions) -> pa.Table:
    try:
        return csv.read_csv(csv_source(file), _READING, convert_options=options)
    except pa.ArrowInvalid:
        with _rows_counted_as_ours():
            return csv.read_csv(csv_source(file), _IN_ORDER, convert_options=options)


@contextmanager
def _rows_counted_as_ours() -> Iterator[None]:
    """The first one is that after the header."""
    try:
        yield
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(re.sub(r"Row #(\d+)", lambda found: f"row {int(found[1]) - 1}", str(error))) from error


def convert_options(columns: Columns, text_target: bool) -> csv.ConvertOptions:
    """One file, or a piece of it, does not show what type the classes of all of them have."""
    return csv.ConvertOptions(
        strings_can_be_null=True,
        include_columns=columns.names,
        column_types={columns.target: pa.binary()} if text_target else None,  # Table says what is not UTF-8
    )


def csv_source(file: File) -> pa.NativeFile:
    """The text; .gz is unpacked on the way."""
    compression = "gzip" if file.name.endswith(".gz") else None
    return pa.input_stream(file.place if file.is_local else file.open(), compression=compression)


def _source(file: File) -> object:
    return file.place if file.is_local else file.open()


def _require_the_same(found: Sequence[str], expected: Sequence[str], name: str, first: str) -> None:
    in_found, in_expected = set(found), set(expected)
    if missing := [column for column in expected if column not in in_found]:
        raise DataError(f"{name}: there is no column {missing[0]!r}, which {first} has")
    if extra := [column for column in found if column not in in_expected]:
        raise DataError(f"{name}: has a column {extra[0]!r}, which {first} has not")
