"""How long an epoch has taken, earlier attempts included."""

import time

from trainer.state import TrainState


class EpochClock:
    """Starts when it is made."""

    def __init__(self, state: TrainState) -> None:
        self._before = state.epoch_seconds
        self._begin = time.monotonic()
        self.training = 1e-9
        """Seconds spent on steps, as noted last."""

    def total(self) -> float:
        return round(self._before + time.monotonic() - self._begin, 6)

    def note(self, state: TrainState) -> None:
        """Training goes on, or a save follows."""
        state.epoch_seconds = self.training = self.total()
