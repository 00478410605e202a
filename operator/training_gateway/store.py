"""All TrainingJobs in memory, kept by one watch, for every client. Nobody is waited for: clients come and read."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from training_gateway.events import event, place
from training_gateway.views import View
from trainingjob_api.progress import EpochMetrics
from trainingjob_client.api import Api
from trainingjob_client.errors import ClientError
from trainingjob_client.job import Change
from trainingjob_client.watching import Watching

logger = logging.getLogger(__name__)

Key = tuple[str, str]
REMEMBERED = 32
"""Progress events of each job that whoever was disconnected, or is slow, still gets one by one."""


@dataclass(frozen=True)
class Told:
    """What was told of a job at one version, encoded once for all clients."""

    version: int
    epoch: int
    data: bytes


@dataclass
class Known:
    """A job as it is, and what was told of it."""

    view: View
    told: deque[Told] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    epochs: deque[EpochMetrics] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """The latest, of which a history may not be written yet."""

    def tell(self) -> None:
        """The progress, if it is another than before."""
        document = {"type": "progress", "task_id": self.view.task_id, "progress": self.view.progress}
        version = int(self.view.job.version or 0)
        data = event(document, place(str(version), self.view.epoch))
        self._add_epoch()
        if not self.told or _without_id(self.told[-1].data) != _without_id(data):
            self.told.append(Told(version, self.view.epoch, data))

    def _add_epoch(self) -> None:
        """An attempt that does epochs again replaces them."""
        metrics = self.view.job.status.metrics
        if metrics and metrics.latest and metrics.latest.epoch:
            while self.epochs and self.epochs[-1].epoch >= metrics.latest.epoch:
                self.epochs.pop()
            self.epochs.append(metrics.latest)


def _without_id(data: bytes) -> bytes:
    return data.partition(b"\n")[2]


@dataclass(eq=False)
class Changed:
    """What a client of the list has not seen yet: the last of each job, however slow the client is."""

    types: dict[Key, tuple[str, View]] = field(default_factory=dict)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, type: str, view: View) -> None:
        before = self.types.get(view.key, ("", view))[0]
        self.types[view.key] = ("added" if before == "added" and type == "modified" else type, view)
        self.bell.set()

    def take(self) -> list[tuple[str, View]]:
        taken = list(self.types.values())
        self.types.clear()
        self.bell.clear()
        return taken


class JobStore:
    """Reads are synchronous and never stale by more than the watch is."""

    def __init__(self) -> None:
        self._known: dict[Key, Known] = {}
        self._by_task: dict[str, set[Key]] = {}
        self._bells: dict[Key, asyncio.Event] = {}
        self._listening: set[Changed] = set()
        self.is_synced = False

    async def follow(self, api: Api, namespaces: Iterable[str]) -> None:
        """For ever: keeps up with the cluster, or with these namespaces."""
        scopes: list[str | None] = [*namespaces] or [None]
        waiting = set(scopes)
        async with asyncio.TaskGroup() as group:
            for scope in scopes:
                group.create_task(self._follow_one(api, scope, waiting))

    async def _follow_one(self, api: Api, scope: str | None, waiting: set[str | None]) -> None:
        async for change in changes_for_ever(api, scope):
            self.note(change)
            if change.type == "SYNCED":
                waiting.discard(scope)
                self.is_synced = not waiting

    def note(self, change: Change) -> None:
        """One thing that the watch has shown."""
        if change.job is None:
            return
        try:
            self._change(change.type, View(change.job))
        except ValueError as error:  # nobody else's job is to wait for one that cannot be read
            logger.warning("TrainingJob %s/%s cannot be read: %s", change.job.namespace, change.job.name, error)

    def _change(self, type: str, view: View) -> None:
        known = self._forget(view.key)
        is_same = known is not None and known.view.job.uid == view.job.uid
        if type == "DELETED":
            if known is not None and not is_same:
                self._remember(known)
            type = "deleted"
        else:
            now = Known(view, known.told, known.epochs) if known is not None and is_same else Known(view)
            now.tell()
            self._remember(now)
            type = "modified" if is_same else "added"
        if bell := self._bells.pop(view.key, None):
            bell.set()
        for listener in self._listening:
            listener.add(type, view)

    def _remember(self, known: Known) -> None:
        self._known[known.view.key] = known
        self._by_task.setdefault(known.view.task_id, set()).add(known.view.key)

    def _forget(self, key: Key) -> Known | None:
        known = self._known.pop(key, None)
        if known is not None:
            keys = self._by_task[known.view.task_id]
            keys.discard(key)
            if not keys:
                del self._by_task[known.view.task_id]
        return known

    # What clients ask

    def get(self, key: Key) -> Known | None:
        return self._known.get(key)

    def by_task_id(self, task_id: str) -> list[Known]:
        """More than one only where two namespaces have the same id."""
        return [self._known[key] for key in sorted(self._by_task.get(task_id, ()))]

    def epochs_of(self, view: View) -> list[EpochMetrics]:
        """Those that were told lately."""
        known = self._known.get(view.key)
        return list(known.epochs) if known is not None and known.view.job.uid == view.job.uid else []

    def views(self) -> list[View]:
        return [known.view for known in self._known.values()]

    @property
    def namespaces(self) -> set[str]:
        """Those that have a job."""
        return {namespace for namespace, _ in self._known}

    def bell(self, key: Key) -> asyncio.Event:
        """Is set at the next change of this job; ask for it before looking."""
        return self._bells.setdefault(key, asyncio.Event())

    @contextmanager
    def listening(self) -> Iterator[Changed]:
        """Changes of all jobs, for as long as the block runs."""
        changed = Changed()
        self._listening.add(changed)
        try:
            yield changed
        finally:
            self._listening.discard(changed)


async def changes_for_ever(api: Api, scope: str | None) -> AsyncIterator[Change]:
    """As a watch shows them; an API server that is away when this begins is waited for as well."""
    watching = Watching(api, scope)
    while True:
        try:
            async for change in watching.changes():
                yield change
        except ClientError as error:
            logger.warning("TrainingJobs cannot be watched: %s", error)
        await asyncio.sleep(1)


async def ring(bell: asyncio.Event, seconds: float) -> bool:
    """Whether it rang in that time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()
            return True
    return False
