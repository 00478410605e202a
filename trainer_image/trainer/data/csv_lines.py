"""Where the lines of csv end: not within quotes, wherever in a file one begins to read."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
"""Of bytes in a text."""

_LF, _CR, _QUOTE = b"\n"[0], b"\r"[0], b'"'[0]


@dataclass(frozen=True)
class Lines:
    """Of a text that begins outside quotes: with a line of the file."""

    ends: Places
    """The last byte of each line that is whole."""
    is_open: bool
    """The text ends within quotes."""
    torn: int | None
    """The number of the first line in which a value over several lines ends before its cell: a quote is missing."""

    @property
    def length(self) -> int:
        """Of all whole lines."""
        return int(self.ends[-1]) + 1 if len(self.ends) else 0


def lines_of(text: bytes, delimiter: str) -> Lines:
    """Looks through a text of csv."""
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = _line_ends(text, characters)
    if b'"' not in text:
        return Lines(ends, False, None)
    starts, stops = _quoted(text, characters, delimiter)
    value = np.searchsorted(starts, ends, side="right") - 1
    is_outside = (value < 0) | (ends > stops[value])
    outside, spanning = ends[is_outside], stops[value[~is_outside]]
    return Lines(outside, bool(stops[-1] == len(text)), _torn(characters, delimiter, outside, spanning))


def _line_ends(text: bytes, characters: NDArray[np.uint8]) -> Places:
    """LF, CR LF, or CR alone as on old Macs."""
    is_end = characters == _LF
    if b"\r" in text:
        followed = np.append(characters[1:] == _LF, False)
        is_end |= (characters == _CR) & ~followed
    return np.flatnonzero(is_end)


def _quoted(text: bytes, characters: NDArray[np.uint8], delimiter: str) -> tuple[Places, Places]:
    """The first and the last quote of each quoted value; of one that never ends the length of the text."""
    quotes = np.flatnonzero(characters == _QUOTE)
    starts, stops = quotes[::2], quotes[1::2]
    if _begin_cells(characters, starts, delimiter):
        return starts, stops if len(stops) == len(starts) else np.append(stops, len(text))
    # A quote within a cell that did not begin with one, such as 5" pipe, is a letter like any other.
    pattern = rb"(?:\A|(?<=[" + re.escape(delimiter.encode()) + rb'\r\n]))"[^"]*(?:""[^"]*)*("?)'
    found = [(each.start(), each.end() - 1 if each[1] else len(text)) for each in re.finditer(pattern, text)]
    pairs = np.array(found or [(len(text) + 1, len(text) + 1)], dtype=np.int64)
    return pairs[:, 0], pairs[:, 1]


def _begin_cells(characters: NDArray[np.uint8], starts: Places, delimiter: str) -> bool:
    """Whether all of these quotes stand at the beginning of a cell, or double the one before."""
    return bool(_beside_a_cell(delimiter)[characters[starts[starts > 0] - 1]].all())


def _torn(characters: NDArray[np.uint8], delimiter: str, ends: Places, spanning: Places) -> int | None:
    """spanning: the last quotes of values over several lines; the cell should end behind each."""
    closed = spanning[spanning < len(characters) - 1]
    bad = closed[~_beside_a_cell(delimiter)[characters[closed + 1]]]
    return int(np.searchsorted(ends, bad[0])) if len(bad) else None


def _beside_a_cell(delimiter: str) -> NDArray[np.bool_]:
    """Of every byte, whether it may stand beside a quoted value; a quote there doubles one in it."""
    table = np.zeros(256, dtype=np.bool_)
    table[[ord(delimiter), _LF, _CR, _QUOTE]] = True
    return table
