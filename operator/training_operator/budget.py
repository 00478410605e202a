"""How often progress is written in all: jobs take turns, so that many load the API server no more than some.

What matters to somebody who waits, such as a pause or an end, needs no turn.
"""

import time
from collections.abc import Callable

from training_operator.records import Key

EXPIRY = 5.0
"""Seconds after which a turn that was not taken is lost: those of an outage must not all be taken after it."""


class Budget:
    """Turns, so many a second, in the order in which they were asked for; each key has one at most."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._clock = 1 / per_second, clock
        self._turns: dict[Key, float] = {}
        self._next = clock()

    def wait(self, key: Key) -> float:
        """Seconds until it is this key's turn; 0: now, and it is taken."""
        now = self._clock()
        turn = self._turns.pop(key, None)
        if turn is None or turn < now - EXPIRY:
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn <= now:
            return 0.0
        self._turns[key] = turn
        return turn - now

    def leave(self, key: Key) -> None:
        """This key needs no turn any more."""
        self._turns.pop(key, None)
