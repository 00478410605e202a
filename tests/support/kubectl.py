"""kubectl as a user runs it, for tests; what is looked at again and again is read without starting a process."""

import functools
import json
import os
import shutil
import subprocess
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

    def refusal(self, manifest: Object, *options: str) -> str:
        """What the API server says against this manifest; an error when it accepts it."""
        done = self.run("apply", "--dry-run=server", *options, "-f", "-", stdin=json.dumps(manifest))
        if done.returncode == 0:
            raise AssertionError(f"accepted: {json.dumps(manifest['spec'])}")
        return done.stderr

    def get(self, plural: str, name: str) -> Object:
        """One object; LookupError when there is none."""
        return self._read(plural, f"/{name}")

    def list(self, plural: str, selector: str = "") -> list[Object]:
        found: list[Object] = self._read(plural, query=[("labelSelector", selector)])["items"]
        return found

    def _read(self, plural: str, name: str = "", query: "list[tuple[str, str]] | None" = None) -> Object:
        plural = plural if plural.endswith("s") else f"{plural}s"
        path = f"{_PREFIXES[plural]}/namespaces/{self.namespace}/{plural}{name}"
        client = _client(self.kubeconfig)
        request = client.param_serialize("GET", path, query_params=query or [], auth_settings=["BearerToken"])
        answer = client.call_api(*request)
        data = answer.read()
        if answer.status >= 400:
            raise LookupError(f"GET {path}: {answer.status} {data!r}")
        read: Object = json.loads(data)
        return read
