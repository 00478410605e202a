"""How a rank is asked to stop, and how what it starts stays as deaf or as obedient as Python would make it.

The supervisor asks by a signal that nobody else uses: ranks block it and a thread waits for it, so that no import,
collective or data file can keep it waiting. Children inherit what is blocked or ignored. So SIGTERM and SIGINT are
neither: a pool of processes can be terminated, and so can a command.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

REQUEST = signal.SIGRTMIN
_DEFAULTS: dict[signal.Signals, Callable[..., Any] | signal.Handlers] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}


class StopRequest:
    """Whether somebody wants this rank to stop; set once, from a signal's handler or another thread."""

    is_set = False

    def set(self) -> None:
        self.is_set = True


def listen(stop: StopRequest) -> None:
    """Starts the waiting thread. Must run before any other thread starts: they inherit the blocked signal."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {REQUEST})
    # Nobody sends them to a rank alone, but somebody may to all processes of a group or a machine.
    handle({signal.SIGTERM: lambda *_: stop.set(), signal.SIGINT: lambda *_: None})
    # The supervisor, who waits for these, has them blocked.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_DEFAULTS, signal.SIGCHLD})

    def wait() -> None:
        while signal.sigwait({REQUEST}):
            stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()


def handle(handlers: dict[signal.Signals, Callable[..., Any]]) -> None:
    """Only in this process: what it forks is as if there had never been a handler. Commands lose it anyway."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
    here = threading.local()

    def before() -> None:  # what comes while a child still has the handler waits until it has none
        here.mask = signal.pthread_sigmask(signal.SIG_BLOCK, handlers)

    def after() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, here.mask)

    def after_in_child() -> None:
        for number, handler in handlers.items():
            if signal.getsignal(number) is handler:  # and not the program's own by now
                signal.signal(number, _DEFAULTS[number])
        after()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=after_in_child)


@contextmanager
def deaf_children() -> Iterator[None]:
    """What is started inside hears neither of them, so that a signal to a whole group leaves it alone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _DEFAULTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
