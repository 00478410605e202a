"""How long an epoch has taken, earlier attempts included."""

import time
from typing import Protocol


class Timed(Protocol):
    """A state that remembers how long its epoch has taken."""

    epoch_seconds: float


class EpochClock:
    """Starts when it is made."""

    def __init__(self, state: Timed) -> None:
        self._before = state.epoch_seconds
        self._begin = time.monotonic()
        self.training = 1e-9
        """Seconds spent on steps, as noted last."""

    def total(self) -> float:
        return round(self._before + time.monotonic() - self._begin, 6)

    def note(self, state: Timed) -> None:
        """Training goes on, or a save follows."""
        state.epoch_seconds = self.training = self.total()
