"""Keeps every epoch of each TrainingJob in an object of its own: asks running pods for what is new, and writes it down.

A convenience that nothing depends on. Nothing of a history stays in memory longer than until it is written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import inf
from typing import Self

from training_operator.asking import Source
from training_operator.attempt import Attempt
from training_operator.builders.history import build_history
from training_operator.cluster import Cluster
from training_operator.errors import NotFoundError, RefusedError, TryAgainError
from training_operator.records import Key, Raw
from trainingjob_api.history import History, HistoryPage, TrainingHistory, tail_of
from trainingjob_api.progress import Progress, State
from trainingjob_api.resource import TrainingJob

logger = logging.getLogger(__name__)

WRITE_SECONDS = 60.0
"""Between two writes of one history, but for that at the end of an attempt."""
ASK_EVERY = 3
"""Rank 0 is asked for its epochs at most every so many times that it is asked for its progress."""
PAGES_KEPT = 20
"""Of a long history the rest is asked for once these are written."""
PATIENCE = 3.0
"""Seconds that a page may take."""
TRIES = 3
"""So often the end of an attempt waits for its history to be written."""
UNSERVED_SECONDS = 600.0
"""After these it is tried again, where the API server knows of no histories or does not take this one."""
LARGE, LARGE_TEXT = 1000, 64 * 1024
"""Epochs that come, and bytes that are there, from which on others are worked on while they are put together."""
AT_ONCE = 16
"""Pods that are asked for their epochs at the same time."""

AskHistory = Callable[[Source, int, float], Awaitable[HistoryPage | None]]
"""Asks for the epochs after one, and waits at most so many seconds."""

_ABOUT_TO_END = (State.STOPPING, State.FINISHING, State.FINISHED)


@dataclass(frozen=True)
class End:
    """What the pods of an attempt have left."""

    attempt: int
    done: int
    """Epochs that were done, by whoever knows."""
    tails: tuple[HistoryPage, ...]

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        said = [end.said for end in attempt.ends if end.said]
        reports = [*(word.progress for word in said), attempt.report]
        done = max((report.epoch for report in reports if report), default=0)
        return cls(attempt.number, done, tuple(tail for word in said if (tail := tail_of(word))))

    @property
    def tells(self) -> bool:
        """Whether any epoch is known to have been done."""
        return self.done > 0 or bool(self.tails)

    def added_to(self, history: History) -> History:
        for tail in self.tails:
            history = history.with_page(tail)
        is_about = history.attempt in (0, self.attempt)  # else nobody knows after how many epochs it began
        return history.done_until(self.done) if is_about else history


@dataclass
class _Book:
    """What is known of one TrainingJob's history beside what is written."""

    uid: str
    source: Source | None = None
    cursor: int = 0
    """The last epoch that this source has told of."""
    asked: float = -inf
    written: float = -inf
    pages: list[HistoryPage] = field(default_factory=list)
    tries: int = 0
    refused: float = -inf
    """When the API server would not take it, however often it is asked."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_refused(self) -> bool:
        return _now() - self.refused < UNSERVED_SECONDS

    def rest(self) -> None:
        """Nothing is asked for what could not be written; then everything."""
        self.refused, self.source = _now(), None
        self.pages.clear()


class Histories:
    """The books of all TrainingJobs that run."""

    def __init__(
        self,
        cluster: Cluster,
        ask: AskHistory,
        job_of: Callable[[Key], TrainingJob | None],
        clock: Callable[[], datetime],
        poll_seconds: float,
    ) -> None:
        self._cluster, self._ask, self._job_of, self._clock = cluster, ask, job_of, clock
        self._ask_seconds = ASK_EVERY * poll_seconds
        self._books: dict[Key, _Book] = {}
        self._told: dict[str, float] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def catch_up(self, key: Key, source: Source, report: Progress) -> None:
        """Rank 0 has told how far it is: ask for the epochs that are new, unless many are being asked just now."""
        book = self._book(key, source.uid)
        if book.is_refused or self._slots.locked():
            return
        if book.source != source:  # whoever begins tells everything: what was missed, and what is to be forgotten
            book.source, book.cursor, book.asked = source, 0, -inf
        is_due = _now() - book.asked >= self._ask_seconds or report.state in _ABOUT_TO_END
        if is_due and report.epoch != book.cursor:
            book.asked = _now()
            async with self._slots:
                await self._fetch(book, source)

    async def conclude(self, job: TrainingJob, attempt: Attempt) -> None:
        """An attempt has ended: write down all of it, what its pods have left included.

        TryAgainError: not possible now, and worth waiting for.
        """
        key = job.metadata.key
        book = self._book(key, job.metadata.uid)
        end = End.of(attempt)
        if book.is_refused or not (book.pages or end.tells):
            return
        try:
            await self._write(key, book, end)
            book.tries = 0
        except TryAgainError as error:
            book.tries += 1
            if book.tries < TRIES:
                raise
            logger.warning("%s/%s: the end of attempt %s is not in its history: %s", *key, attempt.number, error)
        except Exception:
            logger.exception("%s/%s: the end of attempt %s is not in its history", *key, attempt.number)

    def forget(self, key: Key) -> None:
        """There is no such TrainingJob any more."""
        self._books.pop(key, None)

    def forget_all(self) -> None:
        self._books.clear()

    async def run(self) -> None:
        """Write what is due, one after the other, until cancelled."""
        while True:
            for key, book in list(self._books.items()):
                if book.pages and _now() - book.written >= WRITE_SECONDS:
                    await self._try_to_write(key, book)
            await asyncio.sleep(1)

    def _book(self, key: Key, uid: str) -> _Book:
        book = self._books.get(key)
        if book is None or book.uid != uid:
            book = self._books[key] = _Book(uid)
        return book

    async def _fetch(self, book: _Book, source: Source) -> None:
        """Page by page, as many as are kept and as come in time."""
        until = _now() + PATIENCE
        while len(book.pages) < PAGES_KEPT and _now() < until:
            page = await self._ask(source, book.cursor, until - _now())
            if page is None or book.source != source:
                return
            book.pages.append(page)
            is_further, book.cursor = page.reached > book.cursor, page.reached
            if not (page.more and is_further):
                return

    async def _try_to_write(self, key: Key, book: _Book) -> None:
        try:
            await self._write(key, book)
        except TryAgainError as error:
            book.written = _now()  # in a minute, with what has come till then
            logger.warning("%s/%s: its history cannot be written now: %s", *key, error)
        except Exception:
            book.pages.clear()
            logger.exception("%s/%s: its history cannot be written", *key)

    async def _write(self, key: Key, book: _Book, end: End | None = None) -> None:
        async with book.lock:
            job = self._job_of(key)
            if job is None or job.metadata.uid != book.uid:
                self.forget(key)
                return
            taken = list(book.pages)
            try:
                if await self._replace(job, book, taken, end):
                    book.written = _now()
            except RefusedError as refused:
                book.rest()
                self._tell(f"the history of {key[0]}/{key[1]} is refused: {refused}")
            del book.pages[: len(taken)]

    async def _replace(self, job: TrainingJob, book: _Book, pages: list[HistoryPage], end: End | None) -> bool:
        """Whether there was something to write."""
        namespace, name = job.metadata.key
        known = await self._cluster.get("traininghistories", namespace, name)
        if known is None and book.written > -inf:  # somebody has deleted it: who runs tells everything once more
            book.cursor = 0
        merge = partial(_merged, job, known, pages, end, self._clock())
        manifest = await asyncio.to_thread(merge) if _is_large(known, pages) else merge()
        if manifest is None:
            return False
        if known is not None:
            await self._cluster.replace("traininghistories", manifest)
            return True
        try:
            await self._cluster.create("traininghistories", manifest)
        except NotFoundError:  # not the object, which is new: the kind
            book.rest()
            self._tell("this cluster has no TrainingHistories: kubectl apply --server-side -k crds adds them")
        return True

    def _tell(self, why: str) -> None:
        """In one line, however many jobs it is about."""
        recent = {words: when for words, when in self._told.items() if _now() - when < UNSERVED_SECONDS}
        if why not in recent:
            logger.warning("%s; looking again in %.0f minutes", why, UNSERVED_SECONDS / 60)
        self._told = {why: _now()} | recent


def _is_large(known: Raw | None, pages: list[HistoryPage]) -> bool:
    return (
        sum(len(page.columns.epoch) for page in pages) > LARGE or len(str((known or {}).get("data", ""))) > LARGE_TEXT
    )


def _merged(
    job: TrainingJob, known: Raw | None, pages: list[HistoryPage], end: End | None, now: datetime
) -> Raw | None:
    """The object as it should be; None if it is so already, or there is nothing to tell."""
    before = _history_of(known, job.metadata.uid)
    history = before
    for page in pages:
        history = history.with_page(page)
    if end is not None:
        history = end.added_to(history)
    history = history.thinned_to()
    return None if history == before else build_history(job, history, now, known["metadata"] if known else None)


def _history_of(known: Raw | None, uid: str) -> History:
    """An object of another TrainingJob, or that somebody has damaged, tells nothing."""
    if known is None:
        return History(uid)
    try:
        history = TrainingHistory.model_validate(known).history()
    except ValueError:
        return History(uid)
    return history if history.uid == uid else History(uid)


def _now() -> float:
    return asyncio.get_running_loop().time()
