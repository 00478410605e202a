"""Lists everything now and then, so that what a watch missed costs a minute and never a training."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from training_operator.cluster import Cluster
from training_operator.errors import RefusedError, TryAgainError
from training_operator.records import Key
from training_operator.store import Kind, Store

logger = logging.getLogger(__name__)

STALE_AFTER = 15.0
"""Seconds after which a watch that has not shown what a LIST has shown counts as stale."""

Scope = tuple[Kind, str | None]
"""What one LIST or watch is about: a kind, in one namespace or in all."""


@dataclass
class Relist:
    """Merges LISTs into the store."""

    cluster: Cluster
    store: Store
    namespaces: tuple[str, ...]
    seconds: float
    on_news: Callable[[Key], None]
    last_success: float | None = None
    _oldest_version: int = 0

    async def until_first(self) -> dict[Scope, str]:
        """Read everything once; nothing may be decided before. The versions from which watches go on."""
        while True:
            try:
                return await self.once(by_watch=True)
            except TryAgainError as error:
                logger.warning("waiting for the API server (and the CRD): %s", error)
            except RefusedError as error:
                logger.error("the operator's rights do not suffice: %s", error)
            await asyncio.sleep(2)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._pause())
            try:
                await self.once()
            except (TryAgainError, RefusedError) as error:
                logger.warning("the periodic list failed: %s", error)

    async def once(self, *, by_watch: bool = False) -> dict[Scope, str]:
        """List all kinds, the owners last: a child whose owner is known is never met before it."""
        versions = {
            (kind, namespace): await self.read(kind, namespace, by_watch=by_watch)
            for kind in (Kind.POD, Kind.JOB, Kind.TRAINING_JOB)
            for namespace in self.namespaces or (None,)
        }
        self.store.sweep(self._oldest_version)
        self._oldest_version = min(int(version) for version in versions.values())
        self.last_success = time.monotonic()
        return versions

    async def read(self, kind: Kind, namespace: str | None, *, by_watch: bool = False) -> str:
        """LIST one kind; the version of the list. by_watch: a watch begins there, and will not show that again."""
        listed: set[str] = set()
        version = "0"
        async for page in self.cluster.list_pages(kind, namespace):
            unseen_since = None if by_watch else time.monotonic()
            self._tell(self.store.put_listed(kind, page.items, unseen_since))
            listed.update(raw["metadata"]["uid"] for raw in page.items)
            version = page.version
        self._tell(self.store.remove_unlisted(kind, listed, version, namespace))
        return version

    def _tell(self, news: set[Key]) -> None:
        for key in news:
            self.on_news(key)

    def seconds_behind(self, kind: Kind) -> float:
        return self.store.seconds_behind(kind, time.monotonic())

    def _pause(self) -> float:
        """Sooner while a watch is stale."""
        is_stale = any(self.seconds_behind(kind) > STALE_AFTER for kind in Kind)
        return self.seconds / 6 if is_stale else self.seconds
