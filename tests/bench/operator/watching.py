"""What the bench sees of the cluster while it measures: when pods came to be, which objects have ended."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from local_cluster.node.api import Api, Deleted, Listed, Object


class Eyes:
    """Watches one namespace: pods by their Job, and objects that end."""

    def __init__(self) -> None:
        self.pods: dict[str, set[str]] = defaultdict(set)
        """UIDs of all pods that there have been, by Job."""
        self.alive: set[str] = set()
        self.objects: dict[str, Object] = {}
        self._changed = asyncio.Event()

    async def watch_pods(self, api: Api, namespace: str) -> None:
        async for change in api.watch(f"/api/v1/namespaces/{namespace}/pods"):
            for pod in change.objects if isinstance(change, Listed) else (change.object,):
                uid, owners = pod["metadata"]["uid"], pod["metadata"].get("ownerReferences", ())
                for owner in owners:
                    self.pods[owner["name"]].add(uid)
                (self.alive.discard if isinstance(change, Deleted) else self.alive.add)(uid)
            self._tell()

    async def watch_objects(self, api: Api, path: str) -> None:
        async for change in api.watch(path):
            for raw in change.objects if isinstance(change, Listed) else (change.object,):
                name = raw["metadata"]["name"]
                if isinstance(change, Deleted):
                    self.objects.pop(name, None)
                else:
                    self.objects[name] = raw
            self._tell()

    async def until(self, holds: Callable[[], bool], what: str, limit: float = 600.0) -> float:
        """When it first held, by the monotonic clock."""
        deadline = time.monotonic() + limit
        while not holds():
            self._changed.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not within {limit:.0f} s: {what}")
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                continue
        return time.monotonic()

    def _tell(self) -> None:
        self._changed.set()
