"""kubectl as a user runs it, for tests; what they do again and again goes to the API server without a process."""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.client import ApiClient

Object = dict[str, Any]

_PREFIXES = {
    "trainingjobs": "/apis/trainingjob.dev/v1alpha1",
    "traininghistories": "/apis/trainingjob.dev/v1alpha1",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "events": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
}

_STRICT = [("fieldValidation", "Strict")]


class Refused(Exception):  # noqa: N818  (named after what has happened)
    """What the API server says against an object."""


@functools.cache
def _client(kubeconfig: Path) -> ApiClient:
    return config.new_client_from_config(str(kubeconfig))


@dataclass(frozen=True)
class Kubectl:
    """kubectl against one cluster and namespace."""

    kubeconfig: Path
    namespace: str
    program: str = "kubectl"

    def run(self, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """The finished process, whatever its exit code."""
        return subprocess.run(
            [shutil.which(self.program) or self.program, "--namespace", self.namespace, *args],
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        """What it printed; an error with its message when it failed."""
        done = self.run(*args, stdin=stdin)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def request(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Object | None = None,
        content: str = "application/json",
    ) -> tuple[int, Object]:
        """Status code and answer."""
        client = _client(self.kubeconfig)
        headers = {"Content-Type": content}
        text = body if content.endswith("json") else json.dumps(body)  # the client writes JSON, and only that, itself
        request = client.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=text, auth_settings=["BearerToken"]
        )
        answer = client.call_api(*request)
        return answer.status, json.loads(answer.read())

    def may(self, verb: str, resource: str) -> bool:
        """Whether whoever this is may do it in the namespace; a resource such as pods, or pods/log."""
        name, _, subresource = resource.partition("/")
        options = [f"--subresource={subresource}"] if subresource else []
        return self.run("auth", "can-i", verb, name, *options).stdout.strip() == "yes"

    def apply(self, manifest: Object) -> Object:
        """As `kubectl apply --server-side` does."""
        query = {"fieldManager": "tests", "force": "true"}
        return self._write("PATCH", self._path_of(manifest), manifest, query, "application/apply-patch+yaml")

    def create(self, manifest: Object, **query: str) -> Object:
        """As `kubectl create` does; `Refused` when the server refuses it."""
        return self._write("POST", self._path_of(manifest).rpartition("/")[0], manifest, query)

    def replace(self, manifest: Object) -> Object:
        """The same for one that there is, in whatever version: an operator may write to it as well."""
        path, status, answer = self._path_of(manifest), int(HTTPStatus.CONFLICT), Object()
        while status == HTTPStatus.CONFLICT:
            version = self._read(path)["metadata"]["resourceVersion"]
            newest = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}
            status, answer = self.request("PUT", path, _STRICT, newest)
        return _accepted(status, answer)

    def patch(self, plural: str, name: str, change: Object) -> Object:
        """A merge patch."""
        path = f"{self._collection(plural)}/{name}"
        return self._write("PATCH", path, change, {}, "application/merge-patch+json")

    def get(self, plural: str, name: str) -> Object:
        """One object; LookupError when there is none."""
        return self._read(f"{self._collection(plural)}/{name}")

    def list(self, plural: str, selector: str = "") -> list[Object]:
        found: list[Object] = self._read(self._collection(plural), [("labelSelector", selector)])["items"]
        return found

    def _collection(self, plural: str) -> str:
        return f"{_PREFIXES[plural]}/namespaces/{self.namespace}/{plural}"

    def _path_of(self, manifest: Object) -> str:
        version, plural = manifest["apiVersion"], f"{manifest['kind'].lower()}s"
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{prefix}/namespaces/{self.namespace}/{plural}/{manifest['metadata']['name']}"

    def _read(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Object:
        status, answer = self.request("GET", path, query)
        if status >= 400:
            raise LookupError(f"GET {path}: {status} {answer['message']!r}")
        return answer

    def _write(
        self, method: str, path: str, body: Object, query: dict[str, str], content: str = "application/json"
    ) -> Object:
        return _accepted(*self.request(method, path, [*query.items(), *_STRICT], body, content))


def _accepted(status: int, answer: Object) -> Object:
    if status >= 400:
        raise Refused(answer["message"])
    return answer
