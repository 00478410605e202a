"""Events, written beside the work: nothing depends on them, and no pass waits until one is there."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from training_operator.builders.event import Note, build_event
from training_operator.builders.metadata import Manifest
from training_operator.cluster import Cluster
from training_operator.errors import AlreadyExistsError, RefusedError, TryAgainError
from trainingjob_api.resource import TrainingJob

logger = logging.getLogger(__name__)

BATCH_SECONDS = 0.5
"""How long the first of several waits: what happens is told after it was done, and together."""
MOST = 1000
"""Events that wait; what comes while the API server takes none is in the log alone."""


class EventRecorder:
    """Takes in what happened, and writes it down in that order."""

    def __init__(self, cluster: Cluster, clock: Callable[[], datetime]) -> None:
        self._cluster, self._clock = cluster, clock
        self._waiting = asyncio.Queue[Manifest](MOST)

    def tell(self, job: TrainingJob, attempt: int, note: Note) -> None:
        """Log it, and have it written soon."""
        logger.info("%s/%s: %s: %s", *job.metadata.key, note.reason, note.message)
        if self._waiting.full():
            logger.warning("%s/%s: no event of it: %s of them wait already", *job.metadata.key, MOST)
        else:
            self._waiting.put_nowait(build_event(job, attempt, note, self._clock()))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            first = await self._waiting.get()
            await asyncio.sleep(BATCH_SECONDS)
            await self._write(first)
            while not self._waiting.empty():
                await self._write(self._waiting.get_nowait())

    async def _write(self, event: Manifest) -> None:
        try:
            await self._cluster.create("events", event)
        except AlreadyExistsError:
            pass
        except (TryAgainError, RefusedError) as error:
            about = event["involvedObject"]
            logger.warning("%s/%s: no event: %s", about["namespace"], about["name"], error)
