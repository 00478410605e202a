"""Everything that may go wrong between the operator and the API server."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from unit.operator.world.api import ApiServer
from unit.operator.world.clock import Clock
from unit.operator.world.endpoint import Call, Endpoint, parse, status
from unit.operator.world.objects import Raw
from unit.operator.world.story import Story


@dataclass(frozen=True)
class Weather:
    """Chances, for each call or event."""

    lost_request: float = 0.0
    lost_reply: float = 0.0
    busy: float = 0.0
    conflict: float = 0.0
    crash: float = 0.0
    """After a write, before its answer is read."""
    lost_event: float = 0.0
    slow_event: float = 0.0
    """With all that the same watch would show after it."""
    unwatched: tuple[str, ...] = ()
    """Kinds of which only a LIST tells."""
    slow_reply: float = 0.0
    """What is read is old when it arrives."""


CALM = Weather()
BEHIND = Weather(lost_reply=0.05, crash=0.05, lost_event=0.2, slow_event=0.2, slow_reply=0.1)
"""What the operator knows is seldom what is."""
ROUGH = Weather(
    lost_request=0.02,
    lost_reply=0.03,
    busy=0.04,
    conflict=0.03,
    crash=0.03,
    lost_event=0.05,
    slow_event=0.1,
    slow_reply=0.05,
)


@dataclass
class Network:
    """The way to the API server and back."""

    api: ApiServer
    clock: Clock
    rng: random.Random
    story: Story
    weather: Weather
    on_crash: Callable[[], None]
    on_write: Callable[[Call, int], None]
    on_refusal: Callable[[str], None]
    outages: tuple[tuple[float, float], ...] = ()
    """When nothing gets through."""
    refuses: dict[str, float] = field(default_factory=dict)
    """A kind of which an admission webhook answers 500 until then."""

    async def send(self, method: str, path: str, query: dict[str, str], body: Raw | None) -> tuple[int, bytes]:
        call = parse(method, path, query, body)
        await asyncio.sleep(self.rng.uniform(0.001, 0.02))
        answer = self._fails(call) or self._reach(call)
        if call.is_write and self._happens(self.weather.crash):
            self.story.tell("faults", f"the operator crashes after {call}")
            self.on_crash()
            await asyncio.Event().wait()  # nobody reads the answer
        await asyncio.sleep(self.rng.uniform(1, 20) if self._happens(self.weather.slow_reply) else 0.01)
        if call.is_write and self._happens(self.weather.lost_reply):
            self.story.tell("faults", f"the answer to {call} is lost")
            raise TimeoutError
        return answer

    def _fails(self, call: Call) -> tuple[int, bytes] | None:
        """An answer without any effect."""
        if any(begin <= self.clock.seconds < end for begin, end in self.outages):
            raise TimeoutError
        if self._happens(self.weather.lost_request):
            self.story.tell("faults", f"{call} is lost")
            raise TimeoutError
        if self._happens(self.weather.busy):
            code = self.rng.choice([429, 500, 503])
            self.story.tell("faults", f"{call}: {code}")
            return status(code, "Busy", "try again later")
        if call.method in ("PUT", "PATCH", "DELETE") and self._happens(self.weather.conflict):
            self.story.tell("faults", f"{call}: conflict")
            return status(409, "Conflict", "the object has been modified")
        if call.method == "POST" and self.clock.seconds < self.refuses.get(call.plural, 0.0):
            self.on_refusal(call.plural)
            return status(500, "InternalError", 'failed calling webhook "mutate.example.com": connection refused')
        return None

    def _reach(self, call: Call) -> tuple[int, bytes]:
        answer = Endpoint(self.api).answer(call)
        if call.is_write:
            self.on_write(call, answer[0])
        return answer

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self.rng.random() < chance

    def event_delay(self, plural: str) -> float | None:
        """Seconds until a watch shows a change; None: it never does."""
        if plural in self.weather.unwatched or self._happens(self.weather.lost_event):
            return None
        return self.rng.uniform(0.5, 30) if self._happens(self.weather.slow_event) else self.rng.uniform(0.002, 0.05)
