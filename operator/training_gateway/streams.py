"""What the clients of event streams get: the progress of one job, or the changes of a list."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from training_gateway.events import HEARTBEAT, HEARTBEAT_SECONDS, HINT, event, place, place_of
from training_gateway.refusal import Refusal
from training_gateway.states import DELETED
from training_gateway.store import JobStore, Told, ring
from training_gateway.views import Document, View
from trainingjob_client.errors import ClientError

Missed = Callable[[View, int], Awaitable[Iterable[tuple[int, Document]]]]
"""Epoch and progress of every epoch after that one, as far as there is a history."""
StillAllowed = Callable[[], Awaitable[None]]
"""Refusal when whoever reads may no longer."""


@dataclass
class Permission:
    """Asked for anew while a stream is open, whether it is busy or not."""

    ask: StillAllowed
    seconds: float = HEARTBEAT_SECONDS
    _since: float = field(default_factory=time.monotonic)

    async def holds(self) -> bool:
        """While nobody can be asked, whoever was let in stays."""
        if time.monotonic() < self._since + self.seconds:
            return True
        self._since = time.monotonic()
        try:
            await self.ask()
        except Refusal:
            return False
        except ClientError:
            pass
        return True


@dataclass(frozen=True)
class ProgressStream:
    """One client that follows one job."""

    store: JobStore
    view: View
    still_allowed: StillAllowed
    missed: Missed
    heartbeat: float = HEARTBEAT_SECONDS

    async def events(self, last_event_id: str = "") -> AsyncIterator[bytes]:
        """What was missed, what is now, and what comes, to the end of the training. A pause does not end it."""
        version, is_first = 0, True
        permission = Permission(self.still_allowed, self.heartbeat)
        async for told in self._replayed(place_of(last_event_id)):
            version = max(version, told.version)
            yield HINT + told.data if is_first else told.data
            is_first = False
        while True:
            bell = self.store.bell(self.view.key)
            known = self.store.get(self.view.key)
            if known is None or known.view.job.uid != self.view.job.uid:
                yield self._deleted()
                return
            for told in [told for told in known.told if told.version > version]:
                version = told.version
                yield told.data
            if known.view.job.is_over:
                yield event(known.view.ending, place(str(version), known.view.epoch))
                return
            if not await ring(bell, self.heartbeat):
                yield HEARTBEAT
            if not await permission.holds():
                return

    async def _replayed(self, seen: tuple[int, int] | None) -> AsyncIterator[Told]:
        """Without an id, or with one of another job, what is now; else what came after it."""
        known = self.store.get(self.view.key)
        if known is None or not known.told:
            return
        if seen is None or seen[0] > known.told[-1].version:
            yield known.told[-1]
            return
        version, epoch = seen
        if known.told[0].version > version:
            for number, progress in await self._from_history(epoch):
                if number < known.told[0].epoch:
                    document = {"type": "progress", "task_id": self.view.task_id, "progress": progress}
                    yield Told(version, number, event(document, place(str(version), number)))
        for told in [told for told in known.told if told.version > version]:
            yield told
        if known.told[-1].version <= version:
            yield Told(version, epoch, b": nothing was missed\n")

    async def _from_history(self, epoch: int) -> Iterable[tuple[int, Document]]:
        try:
            return await self.missed(self.view, epoch)
        except ClientError:
            return ()

    def _deleted(self) -> bytes:
        document = {"type": "complete", "task_id": self.view.task_id, "state": DELETED, "progress": self.view.progress}
        return event(document, place(self.view.job.version or "0", self.view.epoch))


@dataclass
class ListStream:
    """One client that follows all jobs that it may see."""

    store: JobStore
    allowed: Callable[[str], Awaitable[bool]]
    """Whether it may see a namespace."""
    still_allowed: StillAllowed
    heartbeat: float = HEARTBEAT_SECONDS
    _seen: dict[str, bool] = field(default_factory=dict)

    async def events(self) -> AsyncIterator[bytes]:
        """A snapshot, then every change; of a job that changes faster than the client reads, the last."""
        with self.store.listening() as changed:
            number, permission = 0, Permission(self.still_allowed, self.heartbeat)
            jobs = [view.item for view in self.store.views() if await self._sees(view)]
            yield HINT + event({"type": "snapshot", "jobs": jobs}, str(number))
            while True:
                if not await ring(changed.bell, self.heartbeat):
                    yield HEARTBEAT
                if not await permission.holds():
                    return
                for type, view in changed.take():
                    if await self._sees(view):
                        number += 1
                        yield event({"type": type, "job": view.item}, str(number))

    async def _sees(self, view: View) -> bool:
        """As before while nobody can be asked."""
        namespace = view.job.namespace
        with suppress(ClientError):
            self._seen[namespace] = await self.allowed(namespace)
        return self._seen.get(namespace, False)
