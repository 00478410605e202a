"""kubectl as a user runs it, for tests."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
            timeout=120,
        )

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        """What it printed; an error with its message when it failed."""
        done = self.run(*args, stdin=stdin)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifest: dict[str, Any], *options: str) -> str:
        return self("apply", *options, "-f", "-", stdin=json.dumps(manifest))

    def refusal(self, manifest: dict[str, Any], *options: str) -> str:
        """What the API server says against this manifest; an error when it accepts it."""
        done = self.run("apply", "--dry-run=server", *options, "-f", "-", stdin=json.dumps(manifest))
        if done.returncode == 0:
            raise AssertionError(f"accepted: {json.dumps(manifest['spec'])}")
        return done.stderr

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("get", kind, name, "-o", "json"))
        return found

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        options = ("-l", selector) if selector else ()
        found: list[dict[str, Any]] = json.loads(self("get", kind, *options, "-o", "json"))["items"]
        return found
