"""The text of a csv file: its header, and its lines in stretches that are parsed one by one.

Whether the rows are kept or streamed, this is how they are read: the two cannot disagree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO

import pyarrow as pa
from pyarrow import csv

from trainer.data.csv_lines import Lines, lines_of
from trainer.data.files import File, explained
from trainer.errors import DataError
from trainingjob_api.spec.training.data import Csv

STRETCH_BYTES = 1 << 22
"""At most; a line, the header as well, must fit in."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}


@dataclass(frozen=True)
class Head:
    """Where the rows of a file begin, and what their columns are called; none in a file without lines."""

    names: tuple[str, ...]
    start: int


@dataclass(frozen=True)
class Stretch:
    """Whole lines of a file, the first of which lies so many bytes behind its beginning."""

    start: int
    content: bytes
    lines: Lines

    def require_closed(self, place: str, first_row: int, rows: int) -> None:
        """DataError if a quote is missing: rows that it has swallowed would not be missed. rows: what was read."""
        if self.lines.torn is None and not self.lines.is_open:
            return
        row = rows if self.lines.torn is None else self.lines.torn + 1
        raise DataError(
            f"{place}, row {first_row + row}: a value in quotes spans lines and does not end with its cell: "
            "is a quote missing?"
        )


def head_of(file: File, written: Csv) -> Head:
    """DataError says what is wrong with the first line."""
    with explained(file), _opened(file) as source:
        beginning = _filled(source, STRETCH_BYTES)
    if beginning.startswith(_UTF_16):
        raise DataError(f"{file.name} is written in UTF-16: save it as UTF-8")
    start = len(_BYTE_ORDER_MARK) if beginning.startswith(_BYTE_ORDER_MARK) else 0
    start += len(beginning[start:]) - len(beginning[start:].lstrip(b"\r\n"))
    if start == len(beginning):
        return Head((), start)
    lines = lines_of(beginning[start:], written.delimiter)
    end = start + int(lines.ends[0]) + 1 if len(lines.ends) else len(beginning)
    if not len(lines.ends) and (len(beginning) == STRETCH_BYTES or lines.is_open):
        raise _endless(file, 0, lines)
    names = _names(file, beginning[start:end] + b"\n", written)
    return Head(names, end if written.header else start)


def _names(file: File, line: bytes, written: Csv) -> tuple[str, ...]:
    _require_delimiter(file, line, written)
    with explained(file):
        parsing = csv.ParseOptions(delimiter=written.delimiter, newlines_in_values=True)
        found = csv.read_csv(pa.BufferReader(line), csv.ReadOptions(block_size=len(line) + 1), parsing)
        try:
            names = tuple(found.column_names)
        except UnicodeDecodeError as error:
            raise DataError(f"{file.name} is not UTF-8: its first line holds {error.object!r}") from None
    return names if written.header else tuple(f"column{number}" for number in range(1, len(names) + 1))


def _require_delimiter(file: File, line: bytes, written: Csv) -> None:
    """A line that has no delimiter but something that often is one."""
    if line.lower().startswith(b"sep=") and len(line.strip()) == len(b"sep=;"):
        raise DataError(f"{file.name}: the first line {line.strip().decode()!r} is Excel's, not a header: delete it")
    if written.delimiter.encode() in line:
        return
    for other, name in _OTHER_DELIMITERS.items():
        if other.encode() in line:
            shown = "commas" if written.delimiter == "," else repr(written.delimiter)
            how = "\\t" if other == "\t" else other
            raise DataError(
                f"{file.name}: the first line has {name}, and no {shown}, between its cells: "
                f'set data.csv to {{delimiter: "{how}"}}, and decimal: "," if numbers are written so'
            )


def stretches_of(file: File, head: Head, written: Csv) -> Iterator[Stretch]:
    """All lines after the header. Each stretch ends with a line, except the last one, if the file does not."""
    with explained(file), _opened(file) as source:
        start, rest, rows = head.start, b"", 0
        _filled(source, start)
        while True:
            content = rest + _filled(source, STRETCH_BYTES - len(rest))
            is_last = len(content) < STRETCH_BYTES
            lines = lines_of(content, written.delimiter)
            if not is_last and not lines.length:
                raise _endless(file, rows, lines)
            length = len(content) if is_last else lines.length
            if length:
                yield Stretch(start, content[:length], lines if is_last else replace(lines, is_open=False))
            if is_last:
                return
            start, rest, rows = start + length, content[length:], rows + len(lines.ends)


def _endless(file: File, rows: int, lines: Lines) -> DataError:
    why = ": is a quote missing that should close a value?" if lines.is_open else ""
    return DataError(f"{file.name}, row {rows + 1}: the line is longer than {STRETCH_BYTES >> 20} MiB{why}")


def parse(
    content: bytes, names: Sequence[str], options: csv.ConvertOptions, written: Csv, place: str, first_row: int
) -> pa.Table:
    """The cells of whole lines. place: the file; first_row: how many rows come before, for messages."""
    reading = csv.ReadOptions(column_names=list(names), block_size=len(content) + 1)
    parsing = csv.ParseOptions(delimiter=written.delimiter)
    try:
        return csv.read_csv(pa.BufferReader(content), reading, parsing, options)
    except pa.ArrowInvalid:
        _name_the_row(content, reading, written, place, first_row)
        raise


def _name_the_row(content: bytes, reading: csv.ReadOptions, written: Csv, place: str, first_row: int) -> None:
    """DataError if a row has too many cells or too few; only a single thread knows which row that is."""
    found: list[csv.InvalidRow] = []

    def keep(row: csv.InvalidRow) -> str:
        found.append(row)
        return "skip"

    parsing = csv.ParseOptions(delimiter=written.delimiter, invalid_row_handler=keep)
    csv.read_csv(pa.BufferReader(content), csv.ReadOptions(**_single(reading)), parsing)
    if found:
        row = found[0]
        raise DataError(
            f"{place}, row {first_row + row.number}: {row.actual_columns} cells where there are "
            f"{row.expected_columns} columns: {row.text[:200]!r}"
        )


def _single(reading: csv.ReadOptions) -> dict[str, object]:
    return {"column_names": reading.column_names, "block_size": reading.block_size, "use_threads": False}


def _opened(file: File) -> IO[bytes]:
    """The text; .gz is unpacked on the way."""
    opened = file.stream()
    return pa.input_stream(opened, compression="gzip") if file.name.endswith(".gz") else opened


def _filled(source: IO[bytes], size: int) -> bytes:
    """So many bytes, or what is left: a network gives them by and by."""
    parts, missing = [], size
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
