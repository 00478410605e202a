"""Watches of Jobs and pods: what they show goes into the store, and its key into the queue. Whatever ends one of them,
it alone begins anew, and what the store knows stays known."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from training_operator.cluster import Cluster
from training_operator.errors import LostTrackError, RefusedError, TryAgainError
from training_operator.queue import WorkQueue
from training_operator.records import Raw
from training_operator.relist import Relist
from training_operator.store import Kind, Store

logger = logging.getLogger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 4.0
"""Seconds between the end of a watch and its next beginning."""
STEADY = 10.0
"""Seconds after which a watch counts as one that works."""


@dataclass(frozen=True)
class Inbox:
    """Where watches leave what they were shown."""

    store: Store
    queue: WorkQueue

    def receive(self, kind: Kind, change: str, raw: Raw) -> None:
        take = self.store.remove if change == "DELETED" else self.store.put
        add = self.queue.add_batched if _can_wait(kind, change) else self.queue.add
        for key in take(kind, raw):
            add(key)


def _can_wait(kind: Kind, change: str) -> bool:
    """What comes to be is news many times in a row; a person's wish, a Job's end and a pod that is gone are so once."""
    return (kind is Kind.POD and change != "DELETED") or (kind is Kind.JOB and change == "ADDED")


@dataclass
class Watch:
    """The changes of one kind (in one namespace)."""

    cluster: Cluster
    relist: Relist
    inbox: Inbox
    kind: Kind
    namespace: str | None
    version: str | None
    """Where to go on; None: everything has to be listed first."""

    async def follow(self) -> None:
        """Until the stream ends; raises when it breaks."""
        try:
            if self.version is None:
                self.version = await self.relist.read(self.kind, self.namespace, by_watch=True)
            async for change in self.cluster.watch(self.kind, self.namespace, self.version):
                if change.type != "BOOKMARK":
                    self.inbox.receive(self.kind, change.type, change.object)
                self.version = change.version
        except TryAgainError as error:
            if isinstance(error, LostTrackError):
                self.version = None
            raise
        except Exception:
            self.version = None
            raise


async def for_ever(follow: Callable[[], Awaitable[None]], what: str) -> None:
    """Follow; whatever has ended it, again within seconds."""
    failures = 0
    while True:
        began = time.monotonic()
        try:
            await follow()
        except (TryAgainError, RefusedError) as error:
            logger.log(logging.DEBUG if failures else logging.WARNING, "%s begins anew: %s", what, error)
        except Exception:
            logger.exception("%s begins anew", what)
        failures = 0 if time.monotonic() - began > STEADY else failures + 1
        await asyncio.sleep(pause(failures))


def pause(failures: int) -> float:
    """Seconds before a watch begins anew after so many failures in a row, with jitter against marching in step."""
    longest: float = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(failures, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311
