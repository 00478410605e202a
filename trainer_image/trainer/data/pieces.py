"""Files larger than memory in pieces that are read one after the other: row groups, and csv cut at line ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from trainer.data.files import File, explained
from trainer.data.table import Table
from trainer.data.tabular import Columns, TableFormat, convert_options, require_unique
from trainer.errors import DataError

PIECE_VALUES = 1 << 20
"""Of a piece of parquet; a larger row group is several pieces."""
PIECE_BYTES = 1 << 22
"""Of a piece of csv."""
_BUFFER_BYTES = 1 << 20
_QUOTE, _LINE_END = b'"\n'


@dataclass(frozen=True)
class CsvBlock:
    """Whole lines of a csv file."""

    file: File
    start: int
    end: int
    names: tuple[str, ...]
    stamp: tuple[int, int] | None = field(compare=False)
    content: bytes | None = field(default=None, compare=False, repr=False)
    """While the file is walked through: what was just read to find the line ends."""

    def tables(self, columns: Columns, text_target: bool) -> Iterator[pa.Table]:
        """One table."""
        options = convert_options(columns, text_target)
        with explained(self.file):
            content = self.content or self.file.part(self.start, self.end)
            reading = csv.ReadOptions(column_names=list(self.names), block_size=len(content) + 1)
            yield csv.read_csv(pa.BufferReader(content), read_options=reading, convert_options=options)


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
    """Every piece with its content, in the order of the files."""
    first = 0
    for file in files:
        first_row = 0
        for block in _csv_blocks(file) if kind == "csv" else _row_groups(file):
            for index, content in enumerate(block.tables(columns, text_target)):
                kept = replace(block, content=None) if isinstance(block, CsvBlock) else block
                piece = Piece(kept, index, content.num_rows, first, first_row)
                table = Table(file.name, content, first_row)
                yield piece, table
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


def _row_groups(file: File) -> Iterator[RowGroup]:
    with explained(file), file.open() as opened:
        stamp, metadata = file.stamp(), parquet.read_metadata(opened)
    for number in range(metadata.num_row_groups):
        yield RowGroup(file, metadata, number, stamp)


def _csv_blocks(file: File) -> Iterator[CsvBlock]:
    with explained(file):
        size, stamp = file.size(), file.stamp()
        head = file.part(0, min(size, PIECE_BYTES))
        line = head[: head.find(b"\n") + 1] or head
        names = tuple(csv.read_csv(pa.BufferReader(line), csv.ReadOptions(block_size=len(line) + 1)).column_names)
    require_unique(file.name, names)
    start, rows = len(line), 0
    while start < size:
        with explained(file):
            content = file.part(start, min(size, start + PIECE_BYTES))
        if start + len(content) < size:
            content = content[: content.rfind(b"\n") + 1]
        if not content:
            raise DataError(f"{file.name}: a line is longer than {PIECE_BYTES >> 20} MiB")
        rows += _lines_outside_quotes(file, content, rows)
        yield CsvBlock(file, start, start + len(content), names, stamp, content)
        start += len(content)


def _lines_outside_quotes(file: File, content: bytes, rows: int) -> int:
    """Line ends of a piece. A line that ends within quotes could be cut in two: DataError names its row."""
    characters = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(characters == _LINE_END)
    if b'"' in content:
        quotes = np.flatnonzero(characters == _QUOTE)
        odd = np.flatnonzero(np.searchsorted(quotes, ends) % 2)
        if len(odd):
            raise DataError(
                f"{file.name}, row {rows + int(odd[0]) + 1}: the line ends within quotes. Values that span lines "
                "cannot be streamed: take them out, or convert the file to parquet"
            )
    return len(ends)
