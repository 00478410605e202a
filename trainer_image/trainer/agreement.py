"""When all ranks look up together: to stop, to save by the clock, to see whether the numbers are still finite.

A collective in every step would cost up to half of it. So the ranks look up every k steps, and rank 0 measures k so
that a request is seen within half a second; the next k travels with the answer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from trainer.distributed import World

_LATENCY_SECONDS = 0.25
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Answer:
    """What all ranks now know."""

    stop: bool = False
    save: bool = False


def steps_between(seconds_per_step: float, previous: int) -> int:
    """How many steps to go until the next look; at most twice as many as before, for steps that only began fast."""
    wanted = int(_LATENCY_SECONDS / max(seconds_per_step, 1e-9))
    return max(1, min(wanted, 2 * previous, _MOST_STEPS))


class Agreement:
    """Counts steps; answers the same on every rank at the same step."""

    def __init__(self, world: World, wants_stop: Callable[[], bool], wants_save: Callable[[], bool]) -> None:
        self._world = world
        self._wants_stop = wants_stop
        self._wants_save = wants_save
        self._interval = 1
        self._steps = 0
        self._since = time.monotonic()

    def is_due(self) -> bool:
        """Counts a step; True if all ranks look up after it."""
        self._steps += 1
        # Alone there is nobody to agree with: a request counts at once.
        return self._steps >= self._interval or (self._world.size == 1 and self._wants_stop())

    def ask(self) -> Answer:
        """Every rank must call it at the same place."""
        mine = [self._wants_stop(), self._world.is_rank_zero and self._wants_save()]
        interval = self._proposal() if self._world.is_rank_zero else 0
        stop, save, self._interval = self._world.maximum([*map(int, mine), interval])
        self._steps, self._since = 0, time.monotonic()
        return Answer(bool(stop), bool(save))

    def _proposal(self) -> int:
        if self._steps == 0:  # nothing to measure by, such as twice in a row at the end of an epoch
            return self._interval
        return steps_between((time.monotonic() - self._since) / self._steps, self._interval)
