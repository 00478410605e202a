"""SIGTERM in a rank: a thread waits for it, so that no import, collective or data file can keep it waiting.

The supervisor starts ranks with SIGTERM blocked: one that arrives before this thread runs stays pending.
"""

import signal
import threading


class StopRequest:
    """Whether somebody wants this rank to stop; set once, from the waiting thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()


def listen(stop: StopRequest) -> None:
    """Starts the waiting thread. Must run before any other thread starts: they inherit the blocked signal."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})  # only the supervisor waits for that one
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        while signal.sigwait({signal.SIGTERM}):
            stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
