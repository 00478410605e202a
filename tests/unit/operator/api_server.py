"""A server that plays the API server's LIST and watch, for tests of what becomes of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client.configuration import Configuration

from training_operator.cluster import Cluster
from training_operator.connection import Connection
from training_operator.queue import WorkQueue
from training_operator.records import Key

Play = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RecordingQueue(WorkQueue):
    """Which keys a watch has added, and how."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[Key] = []
        self.batched: list[Key] = []

    def add(self, key: Key) -> None:
        self.added.append(key)

    def add_batched(self, key: Key) -> None:
        self.batched.append(key)


class ApiServer:
    """Answers LISTs with what there is, and watches by playing one stream after the other; the last one stays open."""

    def __init__(self, *plays: Play) -> None:
        self.items: list[dict[str, Any]] = []
        self.version = "100"
        self.asked: list[str] = []
        """`list`, or `watch` and the version that it begins with."""
        self.done = asyncio.Event()
        """All is played."""
        self.failures: list[web.Response] = []
        """Answers to LISTs that come first."""
        self._plays = list(plays)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if (known := _DISCOVERY.get(request.path)) is not None:
            return web.json_response(known)
        if "watch" not in request.query:
            self.asked.append("list")
            return self.failures.pop(0) if self.failures else self._list()
        self.asked.append(f"watch {request.query['resourceVersion']}")
        if self._plays:
            return await self._plays.pop(0)(request)
        self.done.set()
        return await stream(silence=True)(request)

    def _list(self) -> web.Response:
        return web.json_response({"items": self.items, "metadata": {"resourceVersion": self.version}})


def _resources(*names: tuple[str, str, bool]) -> dict[str, Any]:
    verbs = ["list", "watch", "get"]
    return {
        "resources": [
            {"name": name, "singularName": "", "kind": kind, "namespaced": namespaced, "verbs": verbs}
            for name, kind, namespaced in names
        ]
    }


def _group(name: str, version: str) -> dict[str, Any]:
    return {"name": name, "versions": [{"version": version}], "preferredVersion": {"version": version}}


_DISCOVERY = {
    "/api": {"versions": ["v1"]},
    "/api/v1": _resources(("namespaces", "Namespace", False), ("events", "Event", True)),
    "/apis": {"groups": [_group("apiextensions.k8s.io", "v1"), _group("trainingjob.dev", "v1alpha1")]},
    "/apis/apiextensions.k8s.io/v1": _resources(("customresourcedefinitions", "CustomResourceDefinition", False)),
    "/apis/trainingjob.dev/v1alpha1": _resources(("trainingjobs", "TrainingJob", True)),
}
"""What kopf asks for before it watches."""


def stream(*parts: bytes, silence: bool = False, breaks: bool = False) -> Play:
    """A watch that shows these; then it ends in good order, or says nothing more, or its connection breaks."""

    async def play(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0)
        if silence:
            await asyncio.Event().wait()
        if breaks and request.transport:
            request.transport.abort()
        return response

    return play


def refusal(code: int, reason: str = "") -> Play:
    async def play(request: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "code": code, "reason": reason}, status=code)

    return play


def event(type: str, raw: dict[str, Any]) -> bytes:
    return json.dumps({"type": type, "object": raw}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})


@asynccontextmanager
async def playing(server: ApiServer) -> AsyncIterator[Cluster]:
    application = web.Application()
    application.router.add_get("/{path:.*}", server.answer)
    async with TestServer(application) as running:
        configuration = Configuration(host=str(running.make_url("")).rstrip("/"))
        async with Cluster(Connection.of(configuration)) as cluster:
            yield cluster
