"""All that is known of a training's epochs, as a value; pages are added to it, and it is thinned. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from trainingjob_api.history.columns import Columns
from trainingjob_api.history.page import HistoryPage
from trainingjob_api.history.row import Row
from trainingjob_api.history.spans import Spans, gaps, runs, union, until

SIZE_LIMIT = 512 * 1024
"""Bytes of the columns as text."""
ROWS_LIMIT = 20_000
LIST_LIMIT = 1000
"""Attempts, and gaps, that are listed: the newest ones."""


class AttemptStart(NamedTuple):
    """Where an attempt began."""

    number: int
    first_epoch: int


@dataclass(frozen=True)
class History:
    """Rows in the order of their epochs, and what is to be known of those that are not there."""

    uid: str
    """Of the TrainingJob."""
    rows: tuple[Row, ...] = ()
    epochs: int = 0
    """The last epoch that was done, as far as is known; later ones may have been done since."""
    known: Spans = ()
    """Epochs that were told, also those that were thinned out."""
    attempts: tuple[AttemptStart, ...] = ()
    best: int | None = None
    every: int = 1
    """Above 1: thinned, only the epochs that this divides are kept, the best, the last, and those of `attempts`."""

    @property
    def missing(self) -> Spans:
        """Epochs that were done and could not be had."""
        return gaps(self.known, self.epochs)

    @property
    def thinned(self) -> bool:
        return self.every > 1

    @property
    def attempt(self) -> int:
        """The newest that has told anything."""
        return self.attempts[-1].number if self.attempts else 0

    def with_page(self, page: HistoryPage) -> "History":
        """What a trainer tells replaces what attempts before it told of the same epochs."""
        if page.attempt < self.attempt:
            return self
        history = self._begun(page.attempt, page.began)._until(page.done)
        known = union(history.known, runs(page.columns.epoch))
        told = page.columns.rows()
        rows = {row.epoch: row for row in (*history.rows, *told)}
        return replace(
            history,
            rows=tuple(rows[epoch] for epoch in sorted(rows)),
            attempts=_with_unheard(history.attempts, told),
            epochs=max(history.epochs, page.reached),
            known=known,
            best=history.best if page.best is None else page.best,
        )._with_few_gaps()

    def done_until(self, epochs: int) -> "History":
        """So many were done by the newest attempt, whoever knows of them."""
        return replace(self, epochs=max(self.epochs, epochs))

    def thinned_to(self, size: int = SIZE_LIMIT, rows: int = ROWS_LIMIT) -> "History":
        """With half as many epochs, or a quarter, until they fit."""
        history = self._every(self.every)
        while len(history.rows) > rows or len(Columns.of(history.rows).packed()) > size:
            thinner = history._every(history.every * 2)
            if history.every > self.epochs:  # nothing is left but what is always kept
                return replace(thinner, rows=thinner.rows[-1:])
            history = thinner
        return history

    def _begun(self, attempt: int, began: int) -> "History":
        """A new attempt does again whatever comes after its checkpoint."""
        if attempt == self.attempt:
            return self
        start = AttemptStart(attempt, began + 1)
        return replace(self._until(began), attempts=(*self.attempts, start)[-LIST_LIMIT:])

    def _until(self, epoch: int) -> "History":
        rows = tuple(row for row in self.rows if row.epoch <= epoch)
        return replace(self, rows=rows, epochs=min(self.epochs, epoch), known=until(self.known, epoch))

    def _every(self, every: int) -> "History":
        if every == 1:
            return self
        kept = {self.best, self.rows[-1].epoch if self.rows else None, *(start.first_epoch for start in self.attempts)}
        rows = tuple(row for row in self.rows if row.epoch % every == 0 or row.epoch in kept)
        return replace(self, rows=rows, every=every)

    def _with_few_gaps(self) -> "History":
        """Nobody lists gaps without end: of what lies among too many, the oldest is given up."""
        if len(self.known) <= LIST_LIMIT:
            return self
        known = self.known[-LIST_LIMIT:]
        return replace(self, known=known, rows=tuple(_from(known[0].first, self.rows)))


def _with_unheard(attempts: tuple[AttemptStart, ...], rows: Iterable[Row]) -> tuple[AttemptStart, ...]:
    """Attempts that were over before anybody asked them: the next one tells what they did."""
    known = {start.number: start for start in attempts}
    for row in rows:
        if row.attempt is not None and row.attempt not in known:
            known[row.attempt] = AttemptStart(row.attempt, row.epoch)
    return tuple(known[number] for number in sorted(known))[-LIST_LIMIT:]


def _from(epoch: int, rows: Iterable[Row]) -> Iterable[Row]:
    return (row for row in rows if row.epoch >= epoch)
