"""SIGTERM and SIGINT end the process at any moment of its life; as process 1 it would ignore them by default."""

import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # this module is there before the slow imports
    from asyncio import Task

_SIGNALS = signal.SIGTERM, signal.SIGINT


def end_at_once() -> None:
    """For as long as nothing has begun that must come to an end of its own."""
    for number in _SIGNALS:
        signal.signal(number, lambda number, frame: os._exit(0))


def end_by_cancelling(task: "Task[Any]") -> None:
    """What the task has opened it closes; further signals change nothing."""
    for number in _SIGNALS:
        task.get_loop().add_signal_handler(number, lambda: None if task.cancelling() else task.cancel())
