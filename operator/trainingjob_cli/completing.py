"""What the shell completes from the cluster. Whatever is wrong, nothing is said: it is in the middle of a line."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from trainingjob_client import AsyncTrainingJobs, ClientError
from trainingjob_client.resources import NAMESPACES

_PATIENCE = 3.0  # seconds
_LIMIT = 500


def names(given: Mapping[str, Any], incomplete: str) -> list[str]:
    async def found(jobs: AsyncTrainingJobs) -> list[str]:
        page = await jobs.list(limit=_LIMIT)
        return [job.name for job in page.items]

    return _asked(given, incomplete, found)


def namespaces(given: Mapping[str, Any], incomplete: str) -> list[str]:
    async def found(jobs: AsyncTrainingJobs) -> list[str]:
        answer = await jobs.api.list(NAMESPACES, limit=_LIMIT)
        return [str(each["metadata"]["name"]) for each in answer["items"]]

    return _asked(given, incomplete, found)


def _asked(
    given: Mapping[str, Any], incomplete: str, ask: Callable[[AsyncTrainingJobs], Awaitable[list[str]]]
) -> list[str]:
    already = given.get("names") or []

    async def answer() -> list[str]:
        async with asyncio.timeout(_PATIENCE):
            wanted: dict[str, Any] = {name: given.get(name) for name in ("namespace", "context", "kubeconfig")}
            async with await AsyncTrainingJobs.connect(**wanted) as jobs:
                return await ask(jobs)

    try:
        return [name for name in asyncio.run(answer()) if name.startswith(incomplete) and name not in already]
    except (ClientError, TimeoutError):
        return []
