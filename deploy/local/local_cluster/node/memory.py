"""Ends containers that use more memory than their limit, as the kernel does for a real container.
One look a second at all of them, and none at all while no container has a limit."""

import asyncio

from local_cluster import procfs
from local_cluster.node.instance import Instance

_PERIOD = 1.0


class MemoryWatch:
    def __init__(self) -> None:
        self._limits: dict[Instance, int] = {}
        self._wanted = asyncio.Event()

    def add(self, instance: Instance, limit: int) -> None:
        self._limits[instance] = limit
        self._wanted.set()

    def remove(self, instance: Instance) -> None:
        self._limits.pop(instance, None)

    async def run(self) -> None:
        while True:
            if not self._limits:
                self._wanted.clear()
                await self._wanted.wait()
            self._look()
            await asyncio.sleep(_PERIOD)

    def _look(self) -> None:
        children = procfs.children()
        for instance, limit in self._limits.items():
            if _exceeds(instance.pids(children), limit):
                instance.kill_for_memory()


def _exceeds(pids: list[int], limit: int) -> bool:
    """The cheap sum counts a page once per process that shares it; only when it is too high, count exactly."""
    if sum(map(procfs.anonymous_memory, pids)) <= limit:
        return False
    return sum(map(procfs.proportional_memory, pids)) > limit
