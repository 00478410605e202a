"""One HTTP server for /metrics, /healthz and /readyz; what they say is what is so."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from training_operator.metrics.exposition import Format
from training_operator.metrics.page import Page
from training_operator.relist import Relist
from training_operator.store import Kind

UNHEALTHY_AFTER = 180.0
"""Seconds after which something that should have happened long ago counts as a problem."""


@dataclass(frozen=True)
class Health:
    """Whether the operator does its work."""

    relist: Relist
    longest_pass: Callable[[], float]

    def problems(self) -> list[str]:
        """What a restart would mend; nothing when all is well, or when only the API server is away."""
        behind = {kind.value: self._behind_when_listed(kind) for kind in Kind}
        found = [f"watch of {kind} is {age:.0f} s behind" for kind, age in behind.items() if age > UNHEALTHY_AFTER]
        if (seconds := self.longest_pass()) > UNHEALTHY_AFTER:
            found.append(f"a pass over a TrainingJob has lasted for {seconds:.0f} s")
        return found

    def unreadiness(self) -> list[str]:
        """Why nothing should be expected of it at the moment."""
        found = self.problems()
        if self.relist.last_success is None:
            found.append("the cluster has not been read yet")
        if (seconds := self.list_age()) > self.relist.seconds + UNHEALTHY_AFTER:
            found.append(f"the API server could not be listed for {seconds:.0f} s")
        return found

    def list_age(self) -> float:
        return time.monotonic() - self.relist.last_success if self.relist.last_success is not None else 0.0

    def _behind_when_listed(self, kind: Kind) -> float:
        """A watch can be blamed only for as long as LISTs succeed."""
        return self.relist.seconds_behind(kind) - self.list_age()


@dataclass(frozen=True)
class Pages:
    """What is answered."""

    health: Health
    page: Page

    async def healthz(self, _: web.Request) -> web.Response:
        return _verdict(self.health.problems())

    async def readyz(self, _: web.Request) -> web.Response:
        return _verdict(self.health.unreadiness())

    async def metrics(self, request: web.Request) -> web.Response:
        format = Format(request.headers.get("Accept", ""), request.headers.get("Accept-Encoding", ""))
        headers = {"Content-Type": format.content_type, "Vary": "Accept, Accept-Encoding"}
        if format.is_compressed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=await self.page.render(format), headers=headers)


def _verdict(problems: list[str]) -> web.Response:
    return web.json_response({"ok": not problems, "problems": problems}, status=503 if problems else 200)


@asynccontextmanager
async def serving(address: str, port: int, health: Health, page: Page) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port."""
    pages, application = Pages(health, page), web.Application()
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
