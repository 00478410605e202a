"""What tests do to a node: hold pods back before their processes start. (Freezing it is Api.cut.)"""

import asyncio
import fnmatch


class Faults:
    """Nothing, until a test asks for something. Forgotten when the node program ends."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()
        self._delay = 0.0
        self._changed = asyncio.Event()

    def hold(self, namespace: str, pattern: str) -> None:
        """Keep pods whose name matches the pattern (as in a shell) from starting, until released."""
        self._held.add((namespace, pattern))

    def release(self, namespace: str, pattern: str) -> None:
        self._held.discard((namespace, pattern))
        self._changed.set()

    def delay_starts(self, seconds: float) -> None:
        """From now on every pod starts so much later."""
        self._delay = seconds

    async def before_start(self, namespace: str, name: str) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)
        while self._is_held(namespace, name):
            self._changed.clear()
            await self._changed.wait()

    def _is_held(self, namespace: str, name: str) -> bool:
        return any(namespace == where and fnmatch.fnmatch(name, pattern) for where, pattern in self._held)
