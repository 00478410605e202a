"""history.jsonl: one line for every epoch since the first, across pauses and restarts."""

import json
import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from errno import ELOOP
from pathlib import Path
from typing import Any

from trainer.checkpoint.files import append, read_plain, replace, sync_folder
from trainingjob_api.history import Row, row_of
from trainingjob_api.history.history import ROWS_LIMIT
from trainingjob_api.progress import EpochMetrics

NAME = "history.jsonl"
_SIZE_LIMIT = 128 * 1024**2  # bytes; some 300,000 epochs


class History:
    """Appended by rank 0 after every epoch; on disk before the checkpoint that builds on it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._pending = b""
        self._is_longer = False
        self._is_named = False
        self._sync_failed = False
        self._lock = threading.Lock()  # a save flushes while training goes on

    def keep_until(self, epoch: int) -> int:
        """Forgets what comes after an epoch: it is about to be done again. Returns the last epoch that was known."""
        lines = self._lines()
        kept = [line for line in lines if line["epoch"] <= epoch]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        if self._path.exists() or kept:
            replace(self._path, text.encode())
        return int(lines[-1]["epoch"]) if lines else 0

    def append(self, metrics: EpochMetrics, **place: int) -> None:
        """Adds a line, with attempt and step; one that does not fit on the disk waits for the next chance."""
        line = {**metrics.to_json_object(), **place, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        with self._lock, suppress(OSError):
            self._pending += (json.dumps(line) + "\n").encode()
            self._write_pending()

    def flush(self) -> None:
        """Puts every line on disk, or raises OSError. append() does not wait for that."""
        with self._lock:
            if self._pending:
                self._write_pending()
            if self._sync_failed:  # what a failed sync has left unwritten, a second one does not write
                replace(self._path, read_plain(self._path, _SIZE_LIMIT))
                self._sync_failed = self._is_longer = False
            is_longer, self._is_longer = self._is_longer, False
        if is_longer:
            try:
                self._sync()
            except FileNotFoundError:
                pass
            except OSError:
                self._is_longer = True
                raise

    def _sync(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError:
            self._sync_failed = True
            raise
        finally:
            os.close(descriptor)
        if not self._is_named:  # a new file is on disk only once its folder is
            sync_folder(self._path.parent)
            self._is_named = True

    def _write_pending(self) -> None:
        append(self._path, self._pending)
        self._pending, self._is_longer = b"", True

    def timed_epochs(self) -> list[tuple[float, EpochMetrics]]:
        """With the time at which each ended, in Unix seconds."""
        return [(_time_of(line), EpochMetrics.model_validate(line)) for line in self._lines()]

    def rows(self) -> list[Row]:
        """As they are told to whoever asks, of very many the newest."""
        return [_row(line) for line in self._lines()[-ROWS_LIMIT:]]

    def epochs(self) -> list[EpochMetrics]:
        return [EpochMetrics.model_validate(line) for line in self._lines()]

    def _lines(self) -> list[dict[str, Any]]:
        """Whole lines only: a crash may have cut the last one, and its epoch is done again.

        What is no history at all counts as an empty one: training does not depend on it.
        """
        try:
            content = read_plain(self._path, _SIZE_LIMIT)
        except (FileNotFoundError, ValueError):
            return []
        except OSError as error:
            if error.errno == ELOOP:  # a link
                return []
            raise
        lines = (_parse(line) for line in content.splitlines(keepends=True))
        return [line for line in lines if line]


def _parse(line: bytes) -> dict[str, Any] | None:
    """One epoch's numbers; None for a line that is damaged."""
    try:
        numbers: dict[str, Any] = json.loads(line if line.endswith(b"\n") else b"")
        EpochMetrics.model_validate(numbers)
    except (ValueError, RecursionError):
        return None
    return numbers


def _row(line: dict[str, Any]) -> Row:
    return row_of(
        EpochMetrics.model_validate(line), _count(line, "attempt"), _count(line, "step"), _time_of(line) or None
    )


def _count(line: dict[str, Any], name: str) -> int | None:
    """None: a release before this one wrote the line."""
    number = line.get(name)
    return number if isinstance(number, int) and 0 <= number < 2**63 else None


def _time_of(line: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(line["time"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return 0.0
