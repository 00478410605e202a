"""A clock that stands until a test moves it."""

from dataclasses import dataclass


@dataclass
class Clock:
    now: float = 1000.0
    """Seconds."""

    def __call__(self) -> float:
        return self.now
