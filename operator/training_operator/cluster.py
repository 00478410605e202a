"""The only module that talks to the API server; its errors become two kinds: try again, or refused."""

import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config

from training_operator.records import Key
from training_operator.store import Kind
from trainingjob_api.contract import API_VERSION, GROUP, JOB_NAME_LABEL, KIND, PLURAL, STOP_ANNOTATION, VERSION
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import TrainingJobStatus

logger = logging.getLogger(__name__)

TIMEOUT = 30.0
PAGE = 200
"""Objects of a LIST that are read at once, so that nobody waits for long."""
SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

Raw = dict[str, Any]
Plural = Literal[
    "trainingjobs",
    "jobs",
    "pods",
    "services",
    "persistentvolumeclaims",
    "events",
    "nodes",
    "leases",
    "tokenreviews",
    "subjectaccessreviews",
]
_API: dict[Plural, str] = {
    "trainingjobs": f"/apis/{GROUP}/{VERSION}",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "events": "/api/v1",
    "nodes": "/api/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "tokenreviews": "/apis/authentication.k8s.io/v1",
    "subjectaccessreviews": "/apis/authorization.k8s.io/v1",
}


class TryAgainError(OSError):
    """The API server was away, busy or of another mind; look at the cluster again, later."""

    was_answered = False
    """The API server said so itself."""


class NotNowError(TryAgainError):
    """The API server, or a webhook that it asked, could not do it."""

    was_answered = True


class ConflictError(TryAgainError):
    """What we meant to change is no longer as we saw it."""


class RefusedError(Exception):
    """The API server will not do this, however often it is asked."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class AlreadyExistsError(RefusedError):
    """Something of this name is there."""


@dataclass(frozen=True)
class Listed:
    items: list[Raw]
    version: str


Observer = Callable[[str, str, int, float], None]
"""Is told verb, plural, code (0: no answer) and seconds of every call."""


@dataclass
class Cluster:
    """A thin client: raw objects in, raw objects out."""

    client: ApiClient
    on_call: Observer = field(default=lambda verb, plural, code, seconds: None)
    may_write: Callable[[], bool] = field(default=lambda: True)
    """Is asked before every write."""

    @classmethod
    async def connect(cls, on_call: Observer) -> Self:
        """By KUBECONFIG or ~/.kube/config; inside a pod, as its service account."""
        configuration = Configuration()
        if _runs_in_pod():
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(client_configuration=configuration, persist_config=False)
        configuration.retries = None  # tries again only where it is known to be safe
        return cls(ApiClient(configuration), on_call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.client.close()

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

    async def get(self, plural: Plural, namespace: str | None, name: str) -> Raw | None:
        try:
            return await self._call("GET", plural, namespace, name)
        except _NotFoundError:
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

    async def delete(self, plural: Plural, namespace: str, name: str, uid: str, version: str | None) -> None:
        """Delete the object that was seen and no other; pods of a Job go with it."""
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        options = {"propagationPolicy": "Background", "preconditions": preconditions}
        try:
            await self._call("DELETE", plural, namespace, name, body=options)
        except _NotFoundError:
            return

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
        began, code = time.monotonic(), 0
        try:
            code, text = await self._send(method, path, query or {}, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TryAgainError(f"{method} {path}: {error or type(error).__name__}") from error
        finally:
            self.on_call(_verb(method, name), plural, code, time.monotonic() - began)
        if code >= 400:
            raise _error(method, path, code, text)
        answer: Raw = json.loads(text)
        return answer

    async def _send(self, method: str, path: str, query: dict[str, str], body: Raw | None) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        serialized = await self.client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await self.client.call_api(*serialized, _request_timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        return response.status, await response.read()


def _runs_in_pod() -> bool:
    return SERVICE_ACCOUNT_TOKEN.exists() and not os.environ.get("KUBECONFIG")


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


class _NotFoundError(ConflictError):
    pass


def _error(method: str, path: str, code: int, text: bytes) -> Exception:
    reason, message = _status(text)
    told = f"{method} {path}: {code} {message}"
    if code == 404:
        return _NotFoundError(told)
    if code == 409:
        return AlreadyExistsError(code, message) if reason == "AlreadyExists" else ConflictError(told)
    # A namespace that goes takes its TrainingJobs along: nothing of it is worth telling a person.
    if code in (401, 408, 429) or code >= 500 or b'"NamespaceTerminating"' in text:
        return NotNowError(told)
    return RefusedError(code, message)


def _status(text: bytes) -> tuple[str, str]:
    """Reason and message of a metav1.Status, or whatever a proxy answered."""
    try:
        status = json.loads(text)
        return str(status.get("reason", "")), str(status.get("message", ""))
    except (ValueError, AttributeError):
        return "", text[:200].decode(errors="replace")


def _path(plural: str, namespace: str | None, name: str | None, subresource: str | None) -> str:
    scope = [] if namespace is None else ["namespaces", namespace]
    api = next(api for known, api in _API.items() if known == plural)
    return "/".join([api, *scope, plural, *(part for part in (name, subresource) if part)])


def _verb(method: str, name: str | None) -> str:
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    return verbs.get(method, "get" if name else "list")


def _ours(kind: Kind) -> dict[str, str]:
    return {} if kind is Kind.TRAINING_JOB else {"labelSelector": JOB_NAME_LABEL}


def _listed(answer: Raw) -> Listed:
    return Listed(answer["items"], answer["metadata"]["resourceVersion"])
