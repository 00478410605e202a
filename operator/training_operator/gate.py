"""Who may read /metrics: whoever the API server knows by a bearer token and allows to get that path."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256

from training_operator.cluster import Cluster
from training_operator.errors import RefusedError, TryAgainError

logger = logging.getLogger(__name__)

METRICS_PATH = "/metrics"

FRESH_SECONDS = 30.0
"""For how long an answer is not asked for again."""
HOLDS_SECONDS = 600.0
"""For how long whoever was let in still is while the API server is away: when metrics are wanted most."""
PATIENCE = 5.0
AT_ONCE = 4
"""Questions to the API server: a flood of wrong tokens is not passed on."""
REMEMBERED = 256


class Verdict(Enum):
    ALLOWED = auto()
    NOBODY = auto()
    FORBIDDEN = auto()
    UNKNOWN = auto()
    """The API server could not be asked."""


@dataclass(frozen=True)
class _Known:
    verdict: Verdict
    since: float


class Gate:
    """Asks the API server about tokens, and remembers the answers for a while."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster, self._clock = cluster, clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._few = asyncio.Semaphore(AT_ONCE)

    async def judge(self, authorization: str) -> Verdict:
        """What to do with a request that has this Authorization header."""
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            return Verdict.NOBODY
        digest = sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known.since + FRESH_SECONDS:
            return known.verdict
        verdict = await self._ask(token)
        if verdict is Verdict.UNKNOWN:
            return verdict if known is None or self._clock() > known.since + HOLDS_SECONDS else known.verdict
        self._remember(digest, verdict)
        return verdict

    async def _ask(self, token: str) -> Verdict:
        try:
            async with asyncio.timeout(PATIENCE), self._few:
                user = await self._cluster.who_is(token)
                if user is None:
                    return Verdict.NOBODY
                return Verdict.ALLOWED if await self._cluster.may_get(METRICS_PATH, user) else Verdict.FORBIDDEN
        except (TryAgainError, RefusedError, TimeoutError) as error:
            logger.warning("a reader of %s could not be checked: %s", METRICS_PATH, error or "no answer in time")
            return Verdict.UNKNOWN

    def _remember(self, digest: bytes, verdict: Verdict) -> None:
        self._known[digest] = _Known(verdict, self._clock())
        self._known.move_to_end(digest)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
