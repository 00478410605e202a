"""Rows that stay in their files: every epoch reads them anew, window by window."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from trainer.data.pieces import Cursor, Piece
from trainer.data.rows import Share, epoch_order
from trainer.data.stream_split import Split
from trainer.data.table import Table

WINDOW_VALUES = 1 << 23
"""Inputs that are in memory to be shuffled; as many again are read ahead."""


Decode = Callable[[Table], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Window:
    """Pieces whose rows are shuffled together, and their places in the epoch's order."""

    number: int
    pieces: tuple[int, ...]
    places: range


class StreamedRows:
    """The rows of all pieces, in the order of the files; at most two windows of them are in memory."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        split: Split,
        nothing: tuple[Tensor, Tensor],
        cursor: Callable[[], Cursor],
        decode: Decode,
        device: torch.device | None = None,
    ) -> None:
        """nothing: inputs and targets of no rows; cursor: makes something to read with; decode: on the CPU."""
        self._pieces, self._split, self._nothing, self._decode = pieces, split, nothing, decode
        self._new_cursor, self._cursor = cursor, cursor()
        self._device = device or torch.device("cpu")
        self._ends = np.cumsum([split.rows(piece) for piece in pieces])
        self._taken: tuple[int, Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def to(self, device: torch.device) -> "StreamedRows":
        return StreamedRows(self._pieces, self._split, self._nothing, self._new_cursor, self._decode, device)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Cheap when the numbers ascend, from call to call as well: then every piece is read once."""
        wanted = numbers.cpu()
        places = torch.from_numpy(np.searchsorted(self._ends, wanted.numpy(), side="right"))
        parts = [self._of_piece(int(place), wanted[places == place]) for place in torch.unique(places)]
        if not parts:
            return self._moved(self._nothing[0]), self._moved(self._nothing[1])
        features, targets = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        back = torch.argsort(torch.argsort(places, stable=True))
        return self._moved(features[back]), self._moved(targets[back])

    def _of_piece(self, place: int, numbers: Tensor) -> tuple[Tensor, Tensor]:
        if self._taken is None or self._taken[0] != place:
            self._taken = None  # not two pieces at once
            self._taken = (place, *self._read(self._cursor, place))
        inside = numbers - self._first(place)
        return self._taken[1][inside], self._taken[2][inside]

    def draw(self, seed: int, epoch: int, places: Iterable[range]) -> Iterator[Share]:
        """Pieces in an order of the epoch, rows shuffled among the pieces of a window. What was skipped is not read."""
        windows: Iterator[tuple[range, Share]] | None = None
        nothing = Share(torch.empty(0, dtype=torch.int64), *self._nothing)
        span, rows = range(0), nothing
        for place in places:
            parts: list[Share] = []
            while place:
                if windows is None:
                    windows = self._windows_from(place.start, seed, epoch)
                while place.start >= span.stop:
                    rows = nothing  # before the next one but one is read
                    span, rows = next(windows)
                inside = place[: len(range(place.start, min(place.stop, span.stop), place.step))]
                chosen = slice(inside.start - span.start, inside.stop - span.start, inside.step)
                parts.append(Share(*(tensor[chosen] for tensor in rows)))
                place = place[len(inside) :]
            yield self._joined(parts or [nothing])

    def _joined(self, parts: Sequence[Share]) -> Share:
        return Share(*(self._moved(torch.cat(tensors)) for tensors in zip(*parts, strict=True)))

    def _moved(self, tensor: Tensor) -> Tensor:
        """To a GPU from pinned memory, while the step before still computes."""
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)

    def _windows_from(self, place: int, seed: int, epoch: int) -> Iterator[tuple[range, Share]]:
        """Loaded and shuffled windows, from the one that holds the place; the next is read meanwhile."""
        windows = [window for window in self._windows(seed, epoch) if window.places.stop > place]
        cursor = self._new_cursor()
        pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        try:
            coming = pool.submit(self._load, cursor, windows[0], seed, epoch)
            for window, following in zip(windows, [*windows[1:], None], strict=True):
                loaded = coming.result()
                if following is not None:
                    coming = pool.submit(self._load, cursor, following, seed, epoch)
                yield window.places, loaded
                del loaded
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _windows(self, seed: int, epoch: int) -> Iterator[_Window]:
        """Blocks in a new order, the pieces of a block one after the other; a window ends when it is full."""
        blocks = [list(block) for _, block in groupby(range(len(self._pieces)), lambda n: id(self._pieces[n].block))]
        order = [number for block in epoch_order(len(blocks), seed, epoch).tolist() for number in blocks[block]]
        start = rows = number = 0
        held: list[int] = []
        for place, piece in enumerate(order, start=1):
            held.append(piece)
            rows += self._split.rows(self._pieces[piece])
            if rows * self._nothing[0].shape[1] >= WINDOW_VALUES or place == len(order):
                yield _Window(number, tuple(held), range(start, start + rows))
                start, rows, number, held = start + rows, 0, number + 1, []

    def _load(self, cursor: Cursor, window: _Window, seed: int, epoch: int) -> Share:
        rows = len(window.places)
        order = epoch_order(rows, seed, epoch, window.number)
        to = torch.argsort(order)  # where each row goes, so that it is put there at once
        numbers = torch.empty(rows, dtype=torch.int64)
        features, targets = (nothing.new_empty((rows, *nothing.shape[1:])) for nothing in self._nothing)
        start = 0
        for piece in window.pieces:
            x, y = self._read(cursor, piece)
            goal = to[start : start + len(x)]
            features[goal], targets[goal] = x, y
            numbers[goal] = torch.arange(len(x)) + self._first(piece)
            start += len(x)
        return Share(numbers, features, targets)

    def _read(self, cursor: Cursor, number: int) -> tuple[Tensor, Tensor]:
        piece = self._pieces[number]
        features, targets = self._decode(cursor.read(piece))
        if (mask := self._split.mask(piece)) is None:
            return features, targets
        chosen = torch.from_numpy(mask)
        return features[chosen], targets[chosen]

    def _first(self, number: int) -> int:
        return int(self._ends[number - 1]) if number else 0
