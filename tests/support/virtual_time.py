"""An event loop whose clock leaps to the next timer when nothing else is to be done: hours pass in milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Leaping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everybody waits for somebody else, and no timer is set")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualTime(asyncio.SelectorEventLoop):
    """`asyncio.sleep`, timeouts and `loop.time()` follow the virtual clock; not for sockets and threads."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now

    def stand_still(self, seconds: float) -> None:
        """Time passes and nothing is done, as when the process is stopped or the machine is too busy."""
        self._leaping.now += seconds


def live(life: Coroutine[Any, Any, Result]) -> Result:
    """Run this life in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        return runner.run(life)


def now() -> float:
    return asyncio.get_running_loop().time()
