"""Tables in pieces that are read one after the other: row groups of parquet, and csv cut at line ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
from pyarrow import parquet

from trainer.data.csv_text import head_of, parse
from trainer.data.files import File, explained
from trainer.data.table import Table
from trainer.data.tabular import Columns, TableFormat, convert_options, parsed
from trainer.errors import DataError

PIECE_VALUES = 1 << 20
"""Of a piece of parquet; a larger row group is several pieces."""
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class CsvBlock:
    """Whole lines of a csv file."""

    file: File
    start: int
    end: int
    names: tuple[str, ...]
    stamp: tuple[int, int] | None = field(compare=False)

    def tables(self, columns: Columns, text_target: bool) -> Iterator[pa.Table]:
        """One table."""
        with explained(self.file):
            content = self.file.part(self.start, self.end)
            yield parse(content, self.names, convert_options(columns, text_target), columns.csv, self.file.name, 0)


@dataclass(frozen=True)
class RowGroup:
    """A row group of a parquet file."""

    file: File
    metadata: parquet.FileMetaData = field(compare=False)
    number: int
    stamp: tuple[int, int] | None = field(compare=False)

    def tables(self, columns: Columns, text_target: bool) -> Iterator[pa.Table]:
        """Tables of so many rows that each has at most PIECE_VALUES."""
        rows = max(1, PIECE_VALUES // len(columns.names))
        with explained(self.file), self.file.open() as opened:
            reader = parquet.ParquetFile(opened, metadata=self.metadata, buffer_size=_BUFFER_BYTES, pre_buffer=False)
            for batch in reader.iter_batches(rows, row_groups=[self.number], columns=columns.names):
                yield pa.Table.from_batches([batch])


Block = CsvBlock | RowGroup


@dataclass(frozen=True)
class Piece:
    """Rows that are read together."""

    block: Block
    index: int
    """The how manieth of its block."""
    rows: int
    first: int
    """Rows before it, in all files."""
    first_row: int
    """Rows before it in its own file."""


def walk(
    files: Sequence[File], kind: TableFormat, columns: Columns, text_target: bool
) -> Iterator[tuple[Piece, Table]]:
    """Every piece with its content, in the order of the files; not those without rows."""
    first = 0
    for file in files:
        first_row = 0
        pieces = _of_csv if kind == "csv" else _of_parquet
        for block, index, content in pieces(file, columns, text_target):
            if content.num_rows:
                yield Piece(block, index, content.num_rows, first, first_row), Table(file.name, content, first_row)
            first_row += content.num_rows
            first += content.num_rows
    if first == 0:
        raise DataError(f"{files[0].name} has no rows")


class Cursor:
    """Reads pieces again; those that follow each other in a block in one go."""

    def __init__(self, columns: Columns, text_target: bool) -> None:
        self._columns, self._text_target = columns, text_target
        self._next: tuple[Block, int] | None = None
        self._tables: Iterator[pa.Table] = iter(())

    def read(self, piece: Piece) -> Table:
        file = piece.block.file
        if self._next != (piece.block, piece.index):
            with explained(file):
                if file.stamp() != piece.block.stamp:
                    raise _changed(file)
            self._tables = islice(piece.block.tables(self._columns, self._text_target), piece.index, None)
        content = next(self._tables, None)
        self._next = (piece.block, piece.index + 1)
        if content is None or content.num_rows != piece.rows:
            raise _changed(file)
        return Table(file.name, content, piece.first_row)


def _changed(file: File) -> DataError:
    return DataError(f"{file.name} has changed since this training looked through it: start the training anew")


def _of_parquet(file: File, columns: Columns, text_target: bool) -> Iterator[tuple[Block, int, pa.Table]]:
    with explained(file), file.open() as opened:
        stamp, metadata = file.stamp(), parquet.read_metadata(opened)
    for number in range(metadata.num_row_groups):
        block = RowGroup(file, metadata, number, stamp)
        for index, content in enumerate(block.tables(columns, text_target)):
            yield block, index, content


def _of_csv(file: File, columns: Columns, text_target: bool) -> Iterator[tuple[Block, int, pa.Table]]:
    with explained(file):
        stamp = file.stamp()
        file.require_parts()
    head = head_of(file, columns.csv)
    for stretch, content in parsed(file, head, columns, text_target):
        yield CsvBlock(file, stretch.start, stretch.start + len(stretch.content), head.names, stamp), 0, content
