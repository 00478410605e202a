"""Writes behind the training's back: a disk, above all one across a network, takes its time."""

import threading
from collections.abc import Callable

_THREAD = "writer"


def finish_writing(seconds: float) -> None:
    """Waits for what is on its way to the disk: it is good, whatever ends this process now."""
    for thread in threading.enumerate():
        if thread.name == _THREAD:
            thread.join(seconds)


class Writer:
    """One write at a time, in a thread of its own."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def begin(self, write: Callable[[], object]) -> None:
        """Returns at once, unless another write still goes on."""
        self.finish()
        self._thread = threading.Thread(target=self._keep_error_of, args=(write,), name=_THREAD)
        self._thread.start()

    def finish(self) -> None:
        """Waits for the write that goes on; raises what it raised."""
        if self._thread is not None:
            self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def check(self) -> None:
        """Raises what a write has raised, without waiting for one that goes on."""
        if self._thread is not None and not self._thread.is_alive():
            self.finish()

    def _keep_error_of(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:
            self._error = error
