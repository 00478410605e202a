"""Which of several replicas acts: the one that holds the Lease, and only while nobody else can have taken it."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from training_operator.cluster import Cluster
from training_operator.errors import ConflictError, RefusedError, TryAgainError
from training_operator.lease import SECONDS, Lease, given_back, read_lease, taken

logger = logging.getLogger(__name__)

SURE_SECONDS = SECONDS - 2.0
"""So long a replica acts after it asked for a renewal that it got: its last write has arrived when another begins."""
RENEW_SECONDS = 2.0
LOOK_SECONDS = 1.0
"""How often a replica looks that does not lead."""
AGAIN_SECONDS = 0.5
CALL_SECONDS = 3.0
"""So long an answer is waited for."""

Lead = Callable[[], Coroutine[Any, Any, None]]
"""What the leader does, until it is cancelled."""


class Leadership(Protocol):
    """Whether this process may act."""

    def is_leading(self) -> bool: ...

    def problems(self) -> list[str]:
        """Why nobody can lead."""

    async def run(self, lead: Lead) -> None: ...


class Unopposed:
    """There is one process, or each may act."""

    def is_leading(self) -> bool:
        return True

    def problems(self) -> list[str]:
        return []

    async def run(self, lead: Lead) -> None:
        await lead()


class Election:
    """One candidate for the Lease."""

    def __init__(
        self,
        cluster: Cluster,
        lease: str,
        identity: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity or f"{socket.gethostname()}_{uuid4().hex[:8]}"
        self._namespace, _, self._name = lease.partition("/")
        self._cluster, self._clock = cluster, clock
        self._sure_until = -1.0
        self._seen: Lease | None = None
        self._seen_at = 0.0
        self._complaint = self._refusal = ""

    def is_leading(self) -> bool:
        return self._clock() < self._sure_until

    def problems(self) -> list[str]:
        """A right that is missing is missing to all replicas."""
        return [self._refusal] if self._refusal else []

    async def run(self, lead: Lead) -> None:
        """Lead whenever elected, for ever; at the end the Lease is given back, so that another leads at once."""
        while True:
            await self._until_elected()
            logger.info("%s leads", self.identity)
            try:
                async with asyncio.TaskGroup() as group:
                    leading = group.create_task(lead())
                    await self._hold()
                    leading.cancel()
            finally:
                logger.info("%s leads no more", self.identity)
                await self._give_back()

    async def _until_elected(self) -> None:
        while not await self._try():  # noqa: ASYNC110  (it is others who give the Lease back)
            await asyncio.sleep(LOOK_SECONDS)

    async def _hold(self) -> None:
        """Renew, until it is lost or not to be sure of."""
        was_renewed = True
        while self.is_leading():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sure_until - self._clock()):
                    await asyncio.sleep(RENEW_SECONDS if was_renewed else AGAIN_SECONDS)
                    was_renewed = await self._try()

    async def _try(self) -> bool:
        """Take or renew the Lease; whether it is this replica's."""
        try:
            is_ours = await self._take()
            self._complaint = self._refusal = ""
            return is_ours
        except ConflictError:
            return False  # somebody else was quicker
        except (TryAgainError, RefusedError, TimeoutError) as error:
            self._complain(f"the Lease {self._namespace}/{self._name}: {error or 'no answer'}")
            self._refusal = self._complaint if isinstance(error, RefusedError) else ""
            return False

    async def _take(self) -> bool:
        asked = self._clock()
        raw = await self._read()
        # One that is deleted says nothing of who led until now.
        if not self._may_take(read_lease(raw) if raw or self._seen is None else self._seen):
            self._sure_until = -1.0
            return False
        lease = taken(raw, self._namespace, self._name, self.identity, datetime.now(UTC))
        await self._write(lease, is_new=raw is None)
        self._sure_until = asked + SURE_SECONDS
        return True

    def _may_take(self, lease: Lease) -> bool:
        """It is free, ours, or was not renewed for as long as its holder said; by our own clock, not by theirs."""
        is_free = lease.holder_identity in (None, "", self.identity)
        if lease != self._seen:
            if not is_free and (self._seen is None or self._seen.holder_identity != lease.holder_identity):
                logger.info("%s leads, and %s stands by", lease.holder_identity, self.identity)
            self._seen, self._seen_at = lease, self._clock()
        return is_free or self._clock() >= self._seen_at + lease.seconds

    async def _give_back(self) -> None:
        """So that nobody need wait; where that fails, they wait."""
        self._sure_until = -1.0
        with suppress(TryAgainError, RefusedError, TimeoutError):
            while not await self._give_back_once():
                pass

    async def _give_back_once(self) -> bool:
        raw = await self._read()
        if raw is None or read_lease(raw).holder_identity != self.identity:
            return True
        try:
            await self._write(given_back(raw, datetime.now(UTC)))
        except ConflictError:
            return False  # a renewal of ours came late
        return True

    async def _read(self) -> dict[str, Any] | None:
        async with asyncio.timeout(CALL_SECONDS):
            return await self._cluster.get("leases", self._namespace, self._name)

    async def _write(self, lease: dict[str, Any], *, is_new: bool = False) -> None:
        async with asyncio.timeout(CALL_SECONDS):
            await (self._cluster.create if is_new else self._cluster.replace)("leases", lease)

    def _complain(self, words: str) -> None:
        """Once for each trouble."""
        if words != self._complaint:
            logger.warning(words)
        self._complaint = words
