"""The one module that talks to the API server: raw objects in, raw objects out, errors as in errors.py."""

import builtins
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from pydantic_core import from_json

from trainingjob_client.connection import Connection
from trainingjob_client.errors import ClientError, LostTrackError, UnavailableError, error_of
from trainingjob_client.resources import Resource
from trainingjob_client.streams import Ended, frames, request_of

Raw = dict[str, Any]

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_STREAM = aiohttp.ClientTimeout(total=None, connect=30)
_WATCH = aiohttp.ClientTimeout(total=None, connect=30, sock_read=90)
"""Bookmarks come each minute: what is silent for longer is broken."""
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "trainingjob-client"


@dataclass(frozen=True)
class RawChange:
    """What a watch shows; of a bookmark only the version counts."""

    type: str
    object: Raw

    @property
    def version(self) -> str:
        return str(self.object["metadata"]["resourceVersion"])


@dataclass(frozen=True)
class Api:
    """One API server, as one user."""

    connection: Connection
    field_manager: str = FIELD_MANAGER

    @classmethod
    async def connect(
        cls,
        *,
        context: str | None = None,
        kubeconfig: str | Path | None = None,
        field_manager: str = FIELD_MANAGER,
    ) -> Self:
        return cls(await Connection.open(context=context, kubeconfig=kubeconfig), field_manager)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self.connection.close()

    def impersonating(self, user: str, groups: tuple[str, ...] = ()) -> Self:
        """The same connection in somebody else's name; needs the right to impersonate. Groups: at most one."""
        headers = {"Impersonate-User": user, **({"Impersonate-Group": groups[0]} if groups else {})}
        return replace(self, connection=replace(self.connection, extra=headers))

    # Read

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Raw:
        return await self.request("GET", resource.path(namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        limit: int | None = None,
        page: str = "",
    ) -> Raw:
        """One page, or everything; namespace None: of the whole cluster."""
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": limit or "", "continue": page}
        return await self.request("GET", resource.path(namespace), query)

    async def watch(
        self, resource: Resource, namespace: str | None = None, *, version: str, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[RawChange, None]:
        """What changes after a version, until the API server ends the stream.

        LostTrackError when it cannot go on from there, UnavailableError when the connection breaks or falls silent.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "labelSelector": labels,
            "fieldSelector": fields,
        }
        path = resource.path(namespace)
        with _breaking(path):
            async with await self._send("GET", path, query, limits=_WATCH) as response:
                async for line in response.content:
                    yield _change(line)

    async def lines(self, path: str, query: Mapping[str, Any] | None = None) -> AsyncGenerator[str, None]:
        """The lines of a text, such as a log, as they come; one without an end is given when the text ends."""
        rest = b""
        with _breaking(path):
            async with await self._send("GET", path, query or {}, limits=_STREAM) as response:
                async for chunk in response.content.iter_any():
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        yield line.decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")

    # Write

    async def create(
        self, resource: Resource, manifest: Raw, namespace: str | None = None, *, dry_run: bool = False
    ) -> Raw:
        """AlreadyExistsError when there is one of this name; unknown fields are refused."""
        return await self.request("POST", resource.path(namespace), self._writing(dry_run), manifest)

    async def apply(
        self,
        resource: Resource,
        manifest: Raw,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
        force: bool = False,
    ) -> Raw:
        """Server-side apply; ConflictError when somebody else has a field, unless it is taken from them by force."""
        query = {**self._writing(dry_run), "force": "true" if force else ""}
        path = resource.path(namespace, manifest["metadata"]["name"])
        return await self.request("PATCH", path, query, manifest, content=APPLY)

    async def patch(self, resource: Resource, name: str, change: Raw, namespace: str | None = None) -> Raw:
        """A merge patch; with metadata.resourceVersion in it only on the object as it was seen."""
        return await self.request("PATCH", resource.path(namespace, name), self._writing(), change, content=MERGE)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
    ) -> Raw:
        """With a UID that object and no other; what it owns goes after it."""
        options: Raw = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        options |= {"preconditions": {"uid": uid}} if uid else {}
        options |= {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        return await self.request("DELETE", resource.path(namespace, name), body=options)

    def _writing(self, dry_run: bool = False) -> dict[str, str]:
        return {
            "fieldManager": self.field_manager,
            "fieldValidation": "Strict",
            "dryRun": "All" if dry_run else "",
        }

    # Any request

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Raw | None = None,
        *,
        content: str = "application/json",
    ) -> Raw:
        """The answer as JSON; ClientError when it is refused or nobody answers."""
        with _breaking(path):
            async with await self._send(method, path, query or {}, body, content, _TIMEOUT) as response:
                answer: Raw = from_json(await response.read())
                return answer

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: builtins.list[str],
        feed: AsyncIterator[bytes] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """What a command in a container prints, while it is fed; ClientError with its last words when it fails."""
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("stdin", "true")] if feed else []
        query += [("command", part) for part in command]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        url = f"{self.connection.url}{path}?{urlencode(query)}"
        with _breaking(path):
            async with aclosing(frames(request_of(self.connection, url), feed)) as parts:
                async for part in parts:
                    if isinstance(part, Ended):
                        if part.problem:
                            raise ClientError(part.problem)
                        return
                    yield part

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Raw | None = None,
        content: str = "application/json",
        limits: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> aiohttp.ClientResponse:
        """An answer below 400, still to be read."""
        given = {name: str(value) for name, value in query.items() if value not in ("", None)}
        url = f"{self.connection.url}{path}{'?' if given else ''}{urlencode(given)}"
        headers = {"Accept": "application/json", "Content-Type": content, "User-Agent": self.field_manager}
        headers |= await self.connection.headers()
        data = None if body is None else json.dumps(body).encode()
        response = await self.connection.session.request(
            method, url, headers=headers, data=data, timeout=limits, **self.connection.options
        )
        if response.status < 400:
            return response
        async with response:
            raise error_of(response.status, await response.read(), response.headers.get("Retry-After"))


@contextmanager
def _breaking(path: str) -> Iterator[None]:
    """A connection that breaks, or falls silent."""
    try:
        yield
    except ClientError:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        told = str(error) or type(error).__name__
        raise UnavailableError(f"the API server does not answer ({told})") from error


def _change(line: bytes) -> RawChange:
    event: Raw = from_json(line)
    if event["type"] == "ERROR":
        raise LostTrackError(f"the watch has ended: {event['object'].get('message')}")
    return RawChange(event["type"], event["object"])
