"""kubectl as a user runs it, for tests; what is looked at again and again is read without starting a process."""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.client import ApiClient

Object = dict[str, Any]

_PREFIXES = {
    "trainingjobs": "/apis/trainingjob.dev/v1alpha1",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "events": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
}


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

    def apply(self, manifest: Object, *options: str) -> str:
        return self("apply", *options, "-f", "-", stdin=json.dumps(manifest))

    def request(
        self, method: str, path: str, query: "Sequence[tuple[str, str]]" = (), body: Object | None = None
    ) -> tuple[int, Object]:
        """Without a process: status code and answer."""
        client = _client(self.kubeconfig)
        headers = {"Content-Type": "application/json"}
        request = client.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        answer = client.call_api(*request)
        return answer.status, json.loads(answer.read())

    def create(self, manifest: Object, **query: str) -> Object:
        """Create a TrainingJob as kubectl does, without starting a process; `Refused` when the server refuses it."""
        return self._write("POST", "", manifest, query)

    def replace(self, manifest: Object) -> Object:
        """The same for another version of one that there is."""
        return self._write("PUT", f"/{manifest['metadata']['name']}", manifest, {})

    def get(self, plural: str, name: str) -> Object:
        """One object; LookupError when there is none."""
        return self._read(plural, f"/{name}")

    def list(self, plural: str, selector: str = "") -> list[Object]:
        found: list[Object] = self._read(plural, query=[("labelSelector", selector)])["items"]
        return found

    def _read(self, plural: str, name: str = "", query: "Sequence[tuple[str, str]]" = ()) -> Object:
        plural = plural if plural.endswith("s") else f"{plural}s"
        path = f"{_PREFIXES[plural]}/namespaces/{self.namespace}/{plural}{name}"
        status, answer = self.request("GET", path, query)
        if status >= 400:
            raise LookupError(f"GET {path}: {status} {answer['message']!r}")
        return answer

    def _write(self, method: str, name: str, body: Object, query: dict[str, str]) -> Object:
        path = f"{_PREFIXES['trainingjobs']}/namespaces/{self.namespace}/trainingjobs{name}"
        status, answer = self.request(method, path, [*query.items(), ("fieldValidation", "Strict")], body)
        if status >= 400:
            raise Refused(answer["message"])
        return answer
