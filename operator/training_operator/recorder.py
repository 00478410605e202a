"""Events, written beside the work: nothing depends on them, and no pass waits until one is there."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from training_operator.builders.event import Note, build_event
from training_operator.builders.metadata import Manifest
from training_operator.cluster import Cluster
from training_operator.errors import AlreadyExistsError, RefusedError, TryAgainError
from trainingjob_api.resource import TrainingJob

logger = logging.getLogger(__name__)

BATCH_SECONDS = 0.5
"""How long the first of several waits: what happens is told after it was done, and together."""
LAST_SECONDS = 2.0
"""What waits still when the operator is told to stop has so long."""
MOST = 1000
"""Events that wait; what comes while the API server takes none is in the log alone."""


class EventRecorder:
    """Takes in what happened, and writes it down in that order."""

    def __init__(self, cluster: Cluster, clock: Callable[[], datetime]) -> None:
        self._cluster, self._clock = cluster, clock
        self._waiting, self._told = deque[Manifest](), asyncio.Event()

    def tell(self, job: TrainingJob, attempt: int, note: Note) -> None:
        """Log it, and have it written soon."""
        logger.info("%s/%s: %s: %s", *job.metadata.key, note.reason, note.message)
        if len(self._waiting) >= MOST:
            logger.warning("%s/%s: no event of it: %s of them wait already", *job.metadata.key, MOST)
            return
        self._waiting.append(build_event(job, attempt, note, self._clock()))
        self._told.set()

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                await self._told.wait()
                await asyncio.sleep(BATCH_SECONDS)
                await self._write_all()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self._write_all()

    async def _write_all(self) -> None:
        self._told.clear()
        while self._waiting:
            await self._write(self._waiting[0])
            self._waiting.popleft()  # not sooner: a write that is broken off is made again

    async def _write(self, event: Manifest) -> None:
        try:
            await self._cluster.create("events", event)
        except AlreadyExistsError:
            pass
        except (TryAgainError, RefusedError) as error:
            about = event["involvedObject"]
            logger.warning("%s/%s: no event: %s", about["namespace"], about["name"], error)
