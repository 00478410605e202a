"""SIGTERM in a rank: a thread waits for it, so that no import, collective or data file can keep it waiting.

The supervisor starts ranks with SIGTERM blocked: one that arrives before this thread runs stays pending.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping


class StopRequest:
    """Whether somebody wants this rank to stop; set once, from the waiting thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()


def agent_pid(environment: Mapping[str, str]) -> int | None:
    """PID of torchrun's agent, None when the supervisor has started this rank itself."""
    return os.getppid() if "TORCHELASTIC_RUN_ID" in environment else None


def listen(stop: StopRequest, agent: int | None, on_peer_lost: Callable[[], None]) -> None:
    """Starts the waiting thread. Must run before any other thread starts: they inherit the blocked signal.

    From the supervisor SIGTERM is a request. From torchrun's agent it means that another rank has died: what is
    left of the group cannot agree on anything, so it leaves at once, unless it is leaving on request already.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        while True:
            sender = signal.sigwaitinfo({signal.SIGTERM}).si_pid
            if sender != agent:
                stop.set()
            elif not stop.is_set:
                on_peer_lost()

    threading.Thread(target=wait, name="signals", daemon=True).start()
