"""The epochs of a training as the pod can tell them: asked for over HTTP, and left behind for whoever did not ask."""

import threading
from bisect import bisect_right
from collections.abc import Sequence

from trainingjob_api.history import Columns, HistoryPage, Row
from trainingjob_api.history.history import ROWS_LIMIT
from trainingjob_api.history.page import PAGE_NUMBERS, PAGE_ROWS
from trainingjob_api.history.tail import packed

_TAIL_ROOM = 1500
"""Bytes that the termination message has for epochs, however long the rest of it is for usual."""


class EpochLog:
    """Written by the loop, read by the exporter's threads; of very many epochs the newest."""

    def __init__(self, uid: str, attempt: int) -> None:
        self._uid, self._attempt = uid, attempt
        self._began = 0
        self._best: int | None = None
        self._rows: list[Row] = []
        self._asked = 0
        self._lock = threading.Lock()

    def begin(self, began: int, rows: Sequence[Row]) -> HistoryPage:
        """The attempt goes on after so many epochs, which earlier ones have done. The page that says so."""
        with self._lock:
            self._began, self._rows = began, list(rows[-ROWS_LIMIT:])
            return self._page([])

    def append(self, row: Row, best: int | None) -> HistoryPage:
        """An epoch is done; a page with it alone."""
        with self._lock:
            while self._rows and self._rows[-1].epoch >= row.epoch:  # a program that counts anew
                self._rows.pop()
            self._rows.append(row)
            if len(self._rows) >= 2 * ROWS_LIMIT:
                del self._rows[:ROWS_LIMIT]
            self._best = best
            return self._page([row])

    def page(self, after: int) -> HistoryPage:
        """What follows an epoch."""
        with self._lock:
            first = bisect_right(self._rows, after, key=lambda row: row.epoch)
            rows = self._rows[first : first + PAGE_ROWS]
            if rows:
                numbers = len(rows[-1].metrics) + len(rows[-1].extra) + 4
                rows = rows[: max(1, PAGE_NUMBERS // numbers)]
                self._asked = max(self._asked, rows[-1].epoch)
            return self._page(rows, more=first + len(rows) < len(self._rows))

    @property
    def is_told(self) -> bool:
        """Everything was asked for, or fits into the pod's last word."""
        with self._lock:
            first = bisect_right(self._rows, self._asked, key=lambda row: row.epoch)
            rest = self._rows[first:]
            return len(rest) < PAGE_ROWS and len(packed(self._page(rest))) <= _TAIL_ROOM

    def _page(self, rows: Sequence[Row], more: bool = False) -> HistoryPage:
        return HistoryPage(
            uid=self._uid,
            attempt=self._attempt,
            began=self._began,
            done=max(self._began, self._rows[-1].epoch if self._rows else 0),
            best=self._best,
            columns=Columns.of(rows),
            more=more,
        )
