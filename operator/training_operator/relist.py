"""Lists everything now and then, so that what a watch missed costs a minute and never a training."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from training_operator.cluster import Cluster, RefusedError, TryAgainError
from training_operator.records import Key
from training_operator.store import Kind, Store

logger = logging.getLogger(__name__)

STALE_AFTER = 15.0
"""Seconds after which a watch that has not shown what a LIST has shown counts as stale."""

WATCHED_WITHIN = 10.0
"""Seconds after which work begins anyway: what was listed may have gone before a watch could show it."""


@dataclass
class Relist:
    """Merges LISTs into the store."""

    cluster: Cluster
    store: Store
    namespaces: tuple[str, ...]
    seconds: float
    on_news: Callable[[Key], None]
    last_success: float | None = None
    _versions: list[int] = field(default_factory=list)

    async def until_first(self) -> None:
        """Read everything once; nothing may be decided before."""
        while True:
            try:
                return await self.once()
            except TryAgainError as error:
                logger.warning("waiting for the API server (and the CRD): %s", error)
            except RefusedError as error:
                logger.error("the operator's rights do not suffice: %s", error)
            await asyncio.sleep(2)

    async def until_watched(self) -> None:
        """The watches have shown what the LIST has: a pod that is ended now does not go by unseen."""
        deadline = time.monotonic() + WATCHED_WITHIN
        while any(self.seconds_behind(kind) > 0 for kind in Kind) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._pause())
            try:
                await self.once()
            except (TryAgainError, RefusedError) as error:
                logger.warning("the periodic list failed: %s", error)

    async def once(self) -> None:
        """List all kinds, the owners last: a child whose owner is known is never met before it."""
        versions = [
            await self._read(kind, namespace)
            for kind in (Kind.POD, Kind.JOB, Kind.TRAINING_JOB)
            for namespace in self.namespaces or (None,)
        ]
        self.store.sweep(min(self._versions, default=0))
        self._versions, self.last_success = versions, time.monotonic()

    async def _read(self, kind: Kind, namespace: str | None) -> int:
        """LIST one kind; the version of the list."""
        listed: set[str] = set()
        version = "0"
        async for page in self.cluster.list_pages(kind, namespace):
            self._tell(self.store.put_listed(kind, page.items, unseen_since=time.monotonic()))
            listed.update(raw["metadata"]["uid"] for raw in page.items)
            version = page.version
        self._tell(self.store.remove_unlisted(kind, listed, version, namespace))
        return int(version)

    def _tell(self, news: set[Key]) -> None:
        for key in news:
            self.on_news(key)

    def seconds_behind(self, kind: Kind) -> float:
        return self.store.seconds_behind(kind, time.monotonic())

    def _pause(self) -> float:
        """Sooner while a watch is stale."""
        is_stale = any(self.seconds_behind(kind) > STALE_AFTER for kind in Kind)
        return self.seconds / 6 if is_stale else self.seconds
