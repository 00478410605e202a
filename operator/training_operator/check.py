"""Whether an installed operator is at work: TrainingJobs are served, and a replica renews the Lease."""

import asyncio

from training_operator.cluster import Cluster
from training_operator.election import LOOK_SECONDS, RENEW_SECONDS
from training_operator.errors import NotFoundError, TryAgainError
from training_operator.lease import SECONDS, Lease, read_lease
from training_operator.settings import Settings
from training_operator.store import Kind

_PATIENCE = SECONDS + 10 * RENEW_SECONDS
"""Seconds: a replica that starts takes the Lease within this time, and renews it."""


class NotAtWorkError(Exception):
    """Says what is missing."""


async def check(settings: Settings) -> str:
    """What was found; NotAtWorkError or RefusedError otherwise."""
    async with await Cluster.connect(lambda verb, plural, code, seconds: None) as cluster:
        for namespace in settings.namespaces or (None,):
            await _served(cluster, namespace)
        holder = await _at_work(cluster, settings.lease) if settings.lease else ""
    return f"TrainingJobs are served{f', and {holder} is at work' if holder else ''}"


async def _served(cluster: Cluster, namespace: str | None) -> None:
    try:
        async for _ in cluster.list_pages(Kind.TRAINING_JOB, namespace):
            return
    except NotFoundError as error:
        raise NotAtWorkError("the API server knows no TrainingJobs: are the CRDs installed?") from error


async def _at_work(cluster: Cluster, name: str) -> str:
    """Whoever renews the Lease while we look; our clock and the holder's need not agree."""
    first = await _lease(cluster, name)
    for _ in range(int(_PATIENCE / LOOK_SECONDS)):
        await asyncio.sleep(LOOK_SECONDS)
        lease = await _lease(cluster, name)
        if lease.holder_identity and lease.renew_time != first.renew_time:
            return lease.holder_identity
    raise NotAtWorkError(f"nobody has renewed the Lease {name} for {_PATIENCE:.0f} s: look at the operator's pods")


async def _lease(cluster: Cluster, name: str) -> Lease:
    namespace, _, lease = name.partition("/")
    try:
        return read_lease(await cluster.get("leases", namespace, lease))
    except TryAgainError:
        return Lease()
