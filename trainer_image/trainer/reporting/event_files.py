"""TensorBoard's event files, on request: one run, however often a training was paused, killed and resumed.

Imported only where they were asked for: the import takes half a second.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from errno import ELOOP
from io import BytesIO
from os import strerror
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from trainer.checkpoint.files import append, replace
from trainingjob_api.progress import EpochMetrics

FOLDER = "tensorboard"
_MARK = "tfevents"  # TensorBoard reads every file with this in its name
_PLAIN = ("learning_rate", "seconds_per_epoch", "samples_per_second")


class EventFiles:
    """One file, made anew from the history by every attempt, then continued epoch by epoch.

    What an earlier attempt wrote beyond the checkpoint that this one goes on from is forgotten so: no epoch is there
    twice, and none is missing. A TensorBoard that is looking on is told to forget as well.
    """

    def __init__(self, folder: Path, generation: int) -> None:
        self._folder = folder / FOLDER
        # TensorBoard reads files in the order of their names.
        self._path = self._folder / f"events.out.{_MARK}.{generation:010d}.trainingjob"
        self._pending = b""

    def rewrite(self, epochs: Iterable[tuple[float, EpochMetrics]]) -> None:
        """Replaces all files by one with these epochs, each with the time of its end (Unix). Tried again by `append`.

        OSError if the folder cannot be written to.
        """
        self._pending = _records(_header()) + _records(_event(when, metrics) for when, metrics in epochs)
        if self._folder.is_symlink():  # whoever can write to the volume must not choose where we write
            raise OSError(ELOOP, strerror(ELOOP), str(self._folder))
        self._folder.mkdir(exist_ok=True)
        replace(self._path, b"")
        for other in self._folder.iterdir():
            if _MARK in other.name and other != self._path:
                other.unlink()
        self._write_pending()

    def append(self, metrics: EpochMetrics) -> None:
        """Adds an epoch; one that does not fit on the disk waits for the next."""
        self._pending += _records([_event(time.time(), metrics)])
        with suppress(OSError):
            self._write_pending()

    def _write_pending(self) -> None:
        append(self._path, self._pending)
        self._pending = b""


def _header() -> Iterator[Event]:
    yield Event(wall_time=time.time(), file_version="brain.Event:2")
    yield Event(wall_time=time.time(), step=0, session_log=SessionLog(status=SessionLog.START))


def _event(when: float, metrics: EpochMetrics) -> Event:
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(metrics)]
    return Event(wall_time=when, step=metrics.epoch, summary=Summary(value=values))


def scalars(metrics: EpochMetrics) -> Iterator[tuple[str, float]]:
    """Tag and value; tags are grouped by measure, such as loss/train and loss/validation."""
    for field, value in metrics:
        if field in _PLAIN and value is not None:
            yield field, value
        elif field.startswith(("train_", "validation_")) and value is not None:
            split, measure = field.split("_", 1)
            yield f"{measure}/{split}", value
    yield from ((f"user/{name}", value) for name, value in (metrics.extra or {}).items())


def _records(events: Iterable[Event]) -> bytes:
    content = BytesIO()
    writer = RecordWriter(content)
    for event in events:
        writer.write(event.SerializeToString())
    return content.getvalue()
