"""One HTTP server for /metrics, /healthz and /readyz; what they say is what is so."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from training_operator.relist import Relist
from training_operator.store import Kind

UNHEALTHY_AFTER = 180.0
"""Seconds without news from the API server after which a restart is worth trying."""


@dataclass(frozen=True)
class Health:
    """Whether the operator does its work."""

    relist: Relist
    queue_age: Callable[[], float]

    def problems(self) -> list[str]:
        """What is wrong; nothing when all is well."""
        since = self.list_age()
        behind = {kind.value: self.relist.seconds_behind(kind) for kind in Kind}
        found = [f"watch of {kind} is {age:.0f} s behind" for kind, age in behind.items() if age > UNHEALTHY_AFTER]
        if since > self.relist.seconds + UNHEALTHY_AFTER:
            found.append(f"the API server could not be listed for {since:.0f} s")
        if self.queue_age() > UNHEALTHY_AFTER:
            found.append(f"a TrainingJob has waited for {self.queue_age():.0f} s")
        return found

    def list_age(self) -> float:
        return time.monotonic() - self.relist.last_success if self.relist.last_success is not None else 0.0

    @property
    def has_begun(self) -> bool:
        """Everything was read once."""
        return self.relist.last_success is not None


@dataclass(frozen=True)
class Pages:
    """What is answered."""

    health: Health
    registry: CollectorRegistry

    async def healthz(self, _: web.Request) -> web.Response:
        return _verdict(self.health.problems())

    async def readyz(self, _: web.Request) -> web.Response:
        problems = self.health.problems()
        return _verdict(problems if self.health.has_begun else [*problems, "the cluster has not been read yet"])

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _verdict(problems: list[str]) -> web.Response:
    return web.json_response({"ok": not problems, "problems": problems}, status=503 if problems else 200)


@asynccontextmanager
async def serving(address: str, port: int, health: Health, registry: CollectorRegistry) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port."""
    pages, application = Pages(health, registry), web.Application()
    application.router.add_get("/healthz", pages.healthz)
    application.router.add_get("/readyz", pages.readyz)
    application.router.add_get("/metrics", pages.metrics)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
