"""Puts a checkpoint's files on disk: small ones at once, large ones behind the training's back."""

import threading
from collections.abc import Callable

from trainer.errors import TrainerError

_THREAD = "writer"
_BACKGROUND_BYTES = 64 * 1024 * 1024  # below, writing takes less time than a thread could save


def finish_writing(seconds: float) -> None:
    """Waits for what is on its way to the disk: it is good, whatever ends this process now."""
    for thread in threading.enumerate():
        if thread.name == _THREAD:
            thread.join(seconds)


class Writer:
    """Runs one write at a time. A write returns why it failed, or None; a TrainerError ends the training."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._problem: str | TrainerError | None = None

    def run(self, write: Callable[[], str | None], size_bytes: int, wait: bool) -> str | None:
        """Returns the newest problem that is known: of this write if it was waited for, else of the one before."""
        before = self.finish()
        if wait or size_bytes < _BACKGROUND_BYTES:
            return write()
        self._thread = threading.Thread(target=self._keep_problem_of, args=(write,), name=_THREAD)
        self._thread.start()
        return before

    def finish(self) -> str | None:
        """Waits for the write that goes on; returns its problem, or raises the TrainerError that it ended with."""
        if self._thread is not None:
            self._thread.join()
        problem, self._problem = self._problem, None
        if isinstance(problem, TrainerError):
            raise problem
        return problem

    def _keep_problem_of(self, write: Callable[[], str | None]) -> None:
        try:
            self._problem = write()
        except TrainerError as error:
            self._problem = error
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"
