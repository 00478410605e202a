"""How tests wait for what is to come: as long as the slowest machine may need, since only a failure waits that long."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE = 300.0
"""Seconds. Far more than a machine needs that has something to do for itself; no test asks how fast it is."""


def wait_for(predicate: Callable[[], Found | None], what: str, interval: float = 0.1) -> Found:
    """The first value of the predicate that counts as true, looked for every so many seconds.

    AssertionError: PATIENCE is at an end. The message says what was awaited, and what came.
    """
    deadline, pause = monotonic() + PATIENCE, threading.Event()
    while not (found := predicate()):
        if monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:.0f} s in vain for {what}; the last answer was {found!r}")
        pause.wait(interval)
    return found
