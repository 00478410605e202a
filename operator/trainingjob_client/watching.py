"""Watches that outlive what they watch through: a LIST, then changes; whatever ends it, it goes on from there."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from trainingjob_client.api import Api, Raw, RawChange
from trainingjob_client.errors import LostTrackError, UnavailableError
from trainingjob_client.job import Change, Job
from trainingjob_client.resources import TRAINING_JOBS

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0  # seconds
_PAGE = 500


@dataclass
class Watching:
    """TrainingJobs of one namespace, or of all; with a name only that one."""

    api: Api
    namespace: str | None
    name: str = ""
    _known: dict[str, Raw] = field(default_factory=dict)
    """By UID, as last seen."""
    _version: str = ""

    async def changes(self) -> AsyncGenerator[Change, None]:
        """Everything as it is now, SYNCED, then every change, for ever.

        The first LIST must be answered. After that an API server that is away is waited for; what has changed meanwhile
        is shown as if it had been seen, and SYNCED follows once more.
        """
        async for change in self._listed():
            yield change
        wait = _FIRST_WAIT
        while True:
            try:
                if not self._version:
                    async for change in self._listed():
                        yield change
                watch = self.api.watch(TRAINING_JOBS, self.namespace, version=self._version, fields=self._fields)
                async with aclosing(watch) as raws:  # whoever wants no more leaves no connection behind
                    async for raw in raws:
                        wait, self._version = _FIRST_WAIT, raw.version
                        if (seen := self._shown(raw)) is not None:
                            yield seen
            except LostTrackError:
                self._version = ""
            except UnavailableError as error:
                await asyncio.sleep(max(error.retry_after or 0.0, wait * random.uniform(0.5, 1.0)))  # noqa: S311
                wait = min(2 * wait, _LONGEST_WAIT)

    async def _listed(self) -> AsyncGenerator[Change, None]:
        """What differs from what is known; the watch goes on from there."""
        raws, page = [], ""
        while True:
            answer = await self.api.list(TRAINING_JOBS, self.namespace, fields=self._fields, limit=_PAGE, page=page)
            raws += answer["items"]
            if not (page := answer["metadata"].get("continue") or ""):
                break
        there = {raw["metadata"]["uid"] for raw in raws}
        for uid in [uid for uid in self._known if uid not in there]:
            yield Change("DELETED", Job(self._known.pop(uid)))
        for raw in raws:
            if (change := self._seen(raw)) is not None:
                yield change
        self._version = str(answer["metadata"]["resourceVersion"])
        yield Change("SYNCED", None)

    def _shown(self, change: RawChange) -> Change | None:
        """None: nothing that was not known."""
        if change.type == "BOOKMARK":
            return None
        if change.type == "DELETED":
            self._known.pop(change.object["metadata"]["uid"], None)
            return Change("DELETED", Job(change.object))
        return self._seen(change.object)

    def _seen(self, raw: Raw) -> Change | None:
        """None: it was known in this version."""
        metadata = raw["metadata"]
        before = self._known.get(metadata["uid"])
        self._known[metadata["uid"]] = raw
        if before and before["metadata"]["resourceVersion"] == metadata["resourceVersion"]:
            return None
        return Change("MODIFIED" if before else "ADDED", Job(raw))

    @property
    def _fields(self) -> str:
        return f"metadata.name={self.name}" if self.name else ""
