"""What everybody in the world looks at: Kubernetes' times, which follow the virtual clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from support.virtual_time import VirtualTime

BEGINNING = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Clock:
    """The time, and what shall happen later."""

    loop: VirtualTime

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self.loop.time()

    @property
    def now(self) -> datetime:
        """Kubernetes' times have whole seconds."""
        return (BEGINNING + timedelta(seconds=self.seconds)).replace(microsecond=0)

    def stamp(self, in_seconds: float = 0.0) -> str:
        return (self.now + timedelta(seconds=in_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def after(self, seconds: float, do: Callable[..., object], *arguments: Any) -> None:
        self.loop.call_later(seconds, do, *arguments)
