"""The only module that talks to the API server; what that answers with an error becomes one of errors.py."""

import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlencode

import aiohttp
from pydantic_core import from_json, to_json

from training_operator.connection import Connection, connect
from training_operator.errors import LostTrackError, NotFoundError, TryAgainError, error_of
from training_operator.records import Key
from training_operator.store import Kind
from trainingjob_api.contract import API_VERSION, GROUP, JOB_NAME_LABEL, KIND, PLURAL, STOP_ANNOTATION, VERSION
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import TrainingJobStatus

logger = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=30)
PAGE = 200
"""Objects of a LIST that are read at once, so that nobody waits for long."""
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=30, sock_read=70)
"""Bookmarks come each minute, and the API server remembers for a little longer what it has shown."""
WATCH_SECONDS = 240, 360
"""How long a watch lasts: long, and not all of them equally long."""
_CONTENT = {"PATCH": "application/merge-patch+json"}
_AGENT = {"User-Agent": "trainingjob-operator", "Accept-Encoding": "identity"}

Raw = dict[str, Any]
Plural = Literal[
    "trainingjobs",
    "traininghistories",
    "jobs",
    "pods",
    "services",
    "persistentvolumeclaims",
    "events",
    "nodes",
    "leases",
    "networkpolicies",
    "tokenreviews",
    "subjectaccessreviews",
]
_API: dict[Plural, str] = {
    "trainingjobs": f"/apis/{GROUP}/{VERSION}",
    "traininghistories": f"/apis/{GROUP}/{VERSION}",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "events": "/api/v1",
    "nodes": "/api/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "tokenreviews": "/apis/authentication.k8s.io/v1",
    "subjectaccessreviews": "/apis/authorization.k8s.io/v1",
}


@dataclass(frozen=True)
class Listed:
    items: list[Raw]
    version: str


@dataclass(frozen=True)
class Change:
    """What a watch shows; of a bookmark only the version counts."""

    type: str
    object: Raw

    @property
    def version(self) -> str:
        return str(self.object["metadata"]["resourceVersion"])


Observer = Callable[[str, str, int, float], None]
"""Is told verb, plural, code (0: no answer) and seconds of every call."""


@dataclass
class Cluster:
    """A thin client: raw objects in, raw objects out."""

    connection: Connection
    on_call: Observer = field(default=lambda verb, plural, code, seconds: None)
    may_write: Callable[[], bool] = field(default=lambda: True)
    """Is asked before every write."""

    @classmethod
    async def connect(cls, on_call: Observer) -> Self:
        return cls(await connect(), on_call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.connection.close()

    # Read

    async def list_pages(self, kind: Kind, namespace: str | None) -> AsyncIterator[Listed]:
        """All objects of a kind as they are at one moment; each page has the version of the whole.

        Without a resource version: caches would answer more quickly, but with everything at once.
        """
        query = {"limit": str(PAGE), **_ours(kind)}
        while True:
            answer = await self._call("GET", kind.value, namespace, query=query)
            yield _listed(answer)
            token = answer["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def list_pods(self, key: Key) -> Listed:
        """The pods of one TrainingJob as they are now, not as a cache remembers them."""
        namespace, name = key
        query = {"labelSelector": f"{JOB_NAME_LABEL}={name}"}
        return _listed(await self._call("GET", "pods", namespace, query=query))

    async def watch(self, kind: Kind, namespace: str | None, version: str) -> AsyncIterator[Change]:
        """What changes after a version, until the API server ends the stream.

        Raises LostTrackError when it cannot go on from there, TryAgainError when the connection breaks or falls silent.
        """
        path = _path(kind, namespace, None, None)
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(random.randrange(*WATCH_SECONDS)),  # noqa: S311
            **_ours(kind),
        }
        with self._observed("watch", kind, f"watch {path}") as seen:
            response = await self._request("GET", path, query, None, _WATCH_TIMEOUT)
            seen.code = response.status
        with _breaking(f"watch {path}"):
            async with response:
                if seen.code >= 400:
                    raise error_of("watch", path, seen.code, await response.read())
                async for line in response.content:
                    yield _change(line)

    async def get(self, plural: Plural, namespace: str | None, name: str) -> Raw | None:
        try:
            return await self._call("GET", plural, namespace, name)
        except NotFoundError:
            return None

    # Write

    async def create(self, plural: Plural, manifest: Raw) -> Raw:
        return await self._call("POST", plural, manifest["metadata"]["namespace"], body=manifest)

    async def replace(self, plural: Plural, manifest: Raw) -> Raw:
        """The whole object, where it is as it was seen."""
        metadata = manifest["metadata"]
        return await self._call("PUT", plural, metadata["namespace"], metadata["name"], body=manifest)

    async def suspend_job(self, namespace: str, name: str, version: str, reason: str) -> Raw:
        """One field and why, and only on the Job as it was seen."""
        metadata = {"resourceVersion": version, "annotations": {STOP_ANNOTATION: reason}}
        patch = {"metadata": metadata, "spec": {"suspend": True}}
        return await self._call("PATCH", "jobs", namespace, name, body=patch)

    async def delete(self, plural: Plural, namespace: str, name: str, uid: str, version: str | None) -> Raw | None:
        """Delete the object that was seen and no other; pods of a Job go with it. The object, if it is there still."""
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        options = {"propagationPolicy": "Background", "preconditions": preconditions}
        try:
            answer = await self._call("DELETE", plural, namespace, name, body=options)
        except NotFoundError:
            return None
        return answer if "deletionTimestamp" in answer.get("metadata", {}) else None

    async def replace_status(self, job: "StatusTarget", status: TrainingJobStatus) -> Raw:
        """The whole status, on the object as it was seen: what is no longer in it is gone."""
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": job.name,
                "namespace": job.namespace,
                "uid": job.uid,
                "resourceVersion": job.resource_version,
            },
            "status": status.to_json_object(),
        }
        return await self._call("PUT", PLURAL, job.namespace, job.name, "status", body=body)

    # Ask

    async def who_is(self, token: str) -> Raw | None:
        """The user that the API server knows by this token; None: nobody."""
        told = await self._review("tokenreviews", "TokenReview", {"token": token})
        user: Raw = told.get("user", {})
        return user if told.get("authenticated") else None

    async def may_get(self, path: str, user: Raw) -> bool:
        """Whether the API server would let this user GET a path that is no resource's."""
        who: Raw = {"user": user.get("username", "")}
        who |= {name: user[name] for name in ("uid", "groups", "extra") if name in user}
        spec = {**who, "nonResourceAttributes": {"path": path, "verb": "get"}}
        told = await self._review("subjectaccessreviews", "SubjectAccessReview", spec)
        return bool(told.get("allowed"))

    async def _review(self, plural: Plural, kind: str, spec: Raw) -> Raw:
        """Nothing is stored: the answer is all that comes of it."""
        version = _API[plural].removeprefix("/apis/")
        answer = await self._call("POST", plural, None, body={"apiVersion": version, "kind": kind, "spec": spec})
        status: Raw = answer["status"]
        return status

    # How

    async def _call(
        self,
        method: str,
        plural: Plural | str,
        namespace: str | None,
        name: str | None = None,
        subresource: str | None = None,
        *,
        query: dict[str, str] | None = None,
        body: Raw | None = None,
    ) -> Raw:
        path = _path(plural, namespace, name, subresource)
        if method != "GET" and not self.may_write():
            raise TryAgainError(f"{method} {path}: another replica may act")
        with self._observed(_verb(method, name), plural, f"{method} {path}") as seen:
            seen.code, text = await self._send(method, path, query or {}, body)
        if seen.code >= 400:
            raise error_of(method, path, seen.code, text)
        answer: Raw = from_json(text)
        return answer

    @contextmanager
    def _observed(self, verb: str, plural: str, what: str) -> Iterator["_Seen"]:
        """Tells the observer how a call went; trouble on the way is no more than that."""
        seen, began = _Seen(), time.monotonic()
        try:
            with _breaking(what):
                yield seen
        finally:
            self.on_call(verb, plural, seen.code, time.monotonic() - began)

    async def _send(self, method: str, path: str, query: dict[str, str], body: Raw | None) -> tuple[int, bytes]:
        async with await self._request(method, path, query, body, _TIMEOUT) as response:
            return response.status, await response.read()

    async def _request(
        self, method: str, path: str, query: dict[str, str], body: Raw | None, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": _CONTENT.get(method, "application/json"), **_AGENT}
        asked = f"{path}{'?' if query else ''}{urlencode(query, safe='/')}"
        data = None if body is None else to_json(body)
        return await self.connection.request(method, asked, headers, data=data, timeout=limits)


@contextmanager
def _breaking(what: str) -> Iterator[None]:
    """A connection that breaks, or falls silent, is a reason to try again."""
    try:
        yield
    except TryAgainError:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TryAgainError(f"{what}: {error or type(error).__name__}") from error


@dataclass
class _Seen:
    """How a call went."""

    code: int = 0
    """0: no answer."""


@dataclass(frozen=True)
class StatusTarget:
    """The object whose status is replaced, as it was seen."""

    namespace: str
    name: str
    uid: str
    resource_version: str

    @classmethod
    def of(cls, job: TrainingJob) -> Self:
        metadata = job.metadata
        return cls(metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)


def _path(plural: str, namespace: str | None, name: str | None, subresource: str | None) -> str:
    scope = [] if namespace is None else ["namespaces", namespace]
    api = next(api for known, api in _API.items() if known == plural)
    return "/".join([api, *scope, plural, *(part for part in (name, subresource) if part)])


def _verb(method: str, name: str | None) -> str:
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    return verbs.get(method, "get" if name else "list")


def _change(line: bytes) -> Change:
    event: Raw = from_json(line)
    if event["type"] == "ERROR":
        raise LostTrackError(
            f"the watch has ended with {event['object'].get('code')}: {event['object'].get('message')}"
        )
    return Change(event["type"], event["object"])


def _ours(kind: Kind) -> dict[str, str]:
    return {} if kind is Kind.TRAINING_JOB else {"labelSelector": JOB_NAME_LABEL}


def _listed(answer: Raw) -> Listed:
    return Listed(answer["items"], answer["metadata"]["resourceVersion"])
