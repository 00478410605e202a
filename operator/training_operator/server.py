"""/healthz, /readyz and /metrics over HTTP; what they say is what is so."""

import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO

from aiohttp import web

from training_operator.election import Leadership, Unopposed
from training_operator.gate import METRICS_PATH, Gate, Verdict
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
    leadership: Leadership = field(default_factory=Unopposed)

    def problems(self) -> list[str]:
        """What a restart would mend; nothing when all is well, or when only the API server is away."""
        behind = {kind.value: self._behind_when_listed(kind) for kind in Kind}
        found = [f"watch of {kind} is {age:.0f} s behind" for kind, age in behind.items() if age > UNHEALTHY_AFTER]
        if (seconds := self.longest_pass()) > UNHEALTHY_AFTER:
            found.append(f"a pass over a TrainingJob has lasted for {seconds:.0f} s")
        return found

    def unreadiness(self) -> list[str]:
        """Why nothing should be expected of it at the moment."""
        found = [*self.problems(), *self.leadership.problems()]
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


Handler = Callable[[web.Request], Awaitable[web.Response]]


def health_pages(health: Health) -> dict[str, Handler]:
    """For the kubelet."""

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(health.problems())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(health.unreadiness())

    return {"/healthz": healthz, "/readyz": readyz}


def _verdict(problems: list[str]) -> web.Response:
    return web.json_response({"ok": not problems, "problems": problems}, status=503 if problems else 200)


def metrics_page(page: Page) -> dict[str, Handler]:
    """For Prometheus."""

    async def metrics(request: web.Request) -> web.Response:
        format = Format(request.headers.get("Accept", ""), request.headers.get("Accept-Encoding", ""))
        headers = {"Content-Type": format.content_type, "Vary": "Accept, Accept-Encoding"}
        if format.is_compressed:
            headers["Content-Encoding"] = "gzip"
        body = BytesIO(await page.render(format))  # so that a long page is sent piece by piece
        return web.Response(body=body, headers=headers)

    return {METRICS_PATH: metrics}


def guarded(pages: Mapping[str, Handler], gate: Gate) -> dict[str, Handler]:
    """The same for those whom the gate lets in."""

    def guard(handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            verdict = await gate.judge(request.headers.get("Authorization", ""))
            return await handler(request) if verdict is Verdict.ALLOWED else _refusal(verdict)

        return answer

    return {path: guard(handler) for path, handler in pages.items()}


_REFUSALS = {
    Verdict.NOBODY: (401, "a bearer token that the API server knows is needed", {"WWW-Authenticate": "Bearer"}),
    Verdict.FORBIDDEN: (403, f"the token's user may not get {METRICS_PATH}", {}),
    Verdict.UNKNOWN: (503, "the API server could not be asked about the token", {}),
}


def _refusal(verdict: Verdict) -> web.Response:
    code, text, headers = _REFUSALS[verdict]
    return web.Response(status=code, text=f"{text}\n", headers=headers)


@asynccontextmanager
async def serving(
    address: str, port: int, pages: Mapping[str, Handler], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port."""
    application = web.Application()
    for path, handler in pages.items():
        application.router.add_get(path, handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port, ssl_context=tls).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
