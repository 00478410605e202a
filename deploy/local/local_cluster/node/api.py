"""The node's only way to the API server: JSON over one pooled connection, watches that heal themselves.
It can be cut, for tests of a lost node: then every call waits until it is healed, as on a dead network."""

import asyncio
import contextlib
import json
import logging
import random
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

Object = dict[str, Any]
log = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_WATCH_SECONDS = 300
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=_WATCH_SECONDS + 30)
STRATEGIC_MERGE = "application/strategic-merge-patch+json"


class ApiError(Exception):
    """The API server refused a request; asking again with the same body would be refused again."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_not_found(self) -> bool:
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        return self.status == 409

    @property
    def is_about_another_object(self) -> bool:
        """The name belongs to an object with another UID by now."""
        return self.is_conflict and "UID" in str(self)


class UnavailableError(Exception):
    """Nobody answered, or only with "try again"."""


@dataclass(frozen=True)
class Listed:
    """Everything there is; what is not in it is gone."""

    objects: tuple[Object, ...]


@dataclass(frozen=True)
class Changed:
    object: Object


@dataclass(frozen=True)
class Deleted:
    object: Object


Change = Listed | Changed | Deleted


class Api:
    """The API server, as seen by the holder of one client certificate."""

    def __init__(self, server: str, ca: Path, certificate: Path, key: Path) -> None:
        self._server = server
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._tls.load_cert_chain(certificate, key)
        self._healed = asyncio.Event()
        self._healed.set()
        self._waiting: set[asyncio.Timeout] = set()
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    def cut(self) -> None:
        """From now on nothing gets through in either direction."""
        self._healed.clear()
        for wait in self._waiting:
            wait.reschedule(0)

    def heal(self) -> None:
        self._healed.set()

    @property
    def is_cut(self) -> bool:
        return not self._healed.is_set()

    async def get(self, path: str) -> Object:
        return await self.request("GET", path)

    async def post(self, path: str, body: Object) -> Object:
        return await self.request("POST", path, body)

    async def patch(self, path: str, body: Object, kind: str = STRATEGIC_MERGE) -> Object:
        return await self.request("PATCH", path, body, kind)

    async def delete(self, path: str, body: Object | None = None) -> Object:
        return await self.request("DELETE", path, body)

    async def request(
        self, method: str, path: str, body: Object | None = None, content_type: str = "application/json"
    ) -> Object:
        """One request and its answer. ApiError when refused; otherwise tried again until somebody answers."""
        data = None if body is None else json.dumps(body).encode()
        pause = _Pause()
        while True:
            try:
                return await self._once(method, path, data, content_type)
            except UnavailableError as error:
                log.debug("%s %s: %s", method, path, error)
            await pause()

    async def watch(self, path: str, selector: str = "") -> AsyncIterator[Change]:
        """A list, then each change, for ever; a new list whenever something may have been missed."""
        query = {"fieldSelector": selector} if selector else {}
        pause = _Pause()
        while True:
            try:
                listed = await self._once("GET", f"{path}?{_encode(query)}")
                pause.reset()
                yield Listed(tuple(listed.get("items", ())))
                version = listed["metadata"]["resourceVersion"]
                while True:  # a watch that ends in peace goes on where it was
                    async for change, seen in self._stream(path, query, version):
                        version = seen
                        if change:
                            yield change
            except (UnavailableError, ApiError) as error:
                log.info("watch of %s begins anew: %s", path, error)
            await pause()

    async def _stream(
        self, path: str, query: Mapping[str, str], version: str
    ) -> AsyncIterator[tuple[Change | None, str]]:
        options = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
        target = f"{path}?{_encode({**query, **options, 'resourceVersion': version})}"
        try:
            async with self._session.get(self._server + target, ssl=self._tls, timeout=_WATCH_TIMEOUT) as response:
                await _raise_for(response)
                async for line in self._lines(response.content):
                    event = json.loads(line)
                    if event["type"] == "ERROR":  # 410: the version is too old to go on from
                        raise ApiError(event["object"].get("code", 500), event["object"].get("message", ""))
                    yield _change(event), event["object"]["metadata"]["resourceVersion"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(_text(error)) from error

    async def _once(
        self, method: str, path: str, data: bytes | None = None, content_type: str = "application/json"
    ) -> Object:
        headers = {"Content-Type": content_type}
        try:
            async with (
                self._reachable(),
                self._session.request(
                    method, self._server + path, data=data, headers=headers, ssl=self._tls, timeout=_TIMEOUT
                ) as response,
            ):
                await _raise_for(response)
                answer: Object = await response.json()
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(_text(error)) from error

    async def _lines(self, content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
        """Lines of any length; the reader's own limit is smaller than a large pod."""
        rest = b""
        while not content.at_eof():
            async with self._reachable():
                chunk = await content.readany()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line

    @contextlib.asynccontextmanager
    async def _reachable(self) -> AsyncIterator[None]:
        """Entered when the network is there. What waits inside for an answer gets a TimeoutError when it is cut."""
        await self._healed.wait()
        async with asyncio.timeout(None) as wait:
            self._waiting.add(wait)
            try:
                yield
            finally:
                self._waiting.discard(wait)


class _Pause:
    """Growing pauses between attempts, 0.1 s to 3 s, with jitter."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._seconds = 0.1

    async def __call__(self) -> None:
        await asyncio.sleep(self._seconds * random.uniform(0.7, 1.3))  # noqa: S311
        self._seconds = min(3.0, self._seconds * 2)


async def _raise_for(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = await response.text()
    try:
        message = str(json.loads(text).get("message", text))
    except ValueError:
        message = text
    if response.status == 429 or response.status >= 500:
        raise UnavailableError(f"{response.status}: {message}")
    raise ApiError(response.status, message)


def _change(event: Object) -> Change | None:
    match event["type"]:
        case "ADDED" | "MODIFIED":
            return Changed(event["object"])
        case "DELETED":
            return Deleted(event["object"])
    return None  # a bookmark


def _encode(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in query.items())


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
