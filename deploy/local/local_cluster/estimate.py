"""How long work may still take that says how much of it is done."""

import time

_TOO_EARLY = 0.03
"""Before so much is done, what is left would be a guess."""


class Estimate:
    """Begins to count when it is made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def left(self, share: float) -> str:
        """Words to put behind others, for the share of the work that is done; none while it is too early."""
        return words(share, time.monotonic() - self._began)


def words(share: float, seconds: float) -> str:
    if share < _TOO_EARLY:
        return ""
    left = seconds * (1 - min(share, 1.0)) / share
    return ", less than a minute left" if left < 60 else f", about {left / 60:.0f} min left"
