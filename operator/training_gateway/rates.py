"""How often one user may ask: a bucket of tokens for each, which fills by time."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

_REMEMBERED = 10_000


@dataclass
class Rates:
    """`per_second` for ever, `burst` at once. Limits of 0 or less: none."""

    per_second: float
    burst: int
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    """What is left, and when that was."""

    def wait(self, user: str) -> float:
        """Takes one; 0, or how many seconds to wait for it, and then nothing is taken."""
        if self.per_second <= 0:
            return 0.0
        now = self.clock()
        left, since = self._buckets.pop(user, (float(self.burst), now))
        left = min(float(self.burst), left + (now - since) * self.per_second)
        enough = left >= 1
        self._buckets[user] = (left - 1 if enough else left, now)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if enough else (1 - left) / self.per_second
