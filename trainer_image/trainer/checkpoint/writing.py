"""Writes behind the training's back: a disk, above all one across a network, takes its time."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from weakref import WeakSet

_under_way: WeakSet[Future[object]] = WeakSet()


def finish_writing(seconds: float) -> None:
    """Waits for what is on its way to the disk: it is good, whatever ends this process now."""
    wait(list(_under_way), seconds)


class Writer:
    """One write at a time, in a thread of its own. The interpreter waits for it before it ends."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "writer")
        self._write: Future[object] | None = None

    def begin(self, write: Callable[[], object]) -> None:
        """Returns at once, unless another write still goes on."""
        self.finish()
        self._write = self._thread.submit(write)
        _under_way.add(self._write)

    @property
    def is_free(self) -> bool:
        return self._write is None or self._write.done()

    def finish(self) -> None:
        """Waits for the write that goes on; raises what it raised."""
        if self._write is not None:
            wait([self._write])  # interrupted here, it still goes on, and the next call waits again
            write, self._write = self._write, None
            write.result()

    def check(self) -> None:
        """Raises what a write has raised, without waiting for one that goes on."""
        if self._write is not None and self._write.done():
            self.finish()
