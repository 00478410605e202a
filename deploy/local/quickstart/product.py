"""The product on the embedded cluster: what `kubectl apply -k deploy/overlays/gateway` installs, and its programs as
processes.

Each gets the token of its own ServiceAccount, never the administrator's: a right that is missing from deploy is missing
here too.
"""

import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from local_cluster.cluster import LocalCluster
from quickstart.daemon import READY_TIMEOUT, Daemon
from quickstart.kubectl import Kubectl
from trainingjob_api.contract import GROUP, HISTORY_PLURAL, PLURAL

PRODUCT = Path("deploy/overlays/gateway")
NAMESPACE = "trainingjob-system"
SERVICE_ACCOUNT = "trainingjob-operator"
ENVIRONMENT_PREFIX = "TRAININGJOB_OPERATOR_"


def install(kubectl: Kubectl) -> None:
    """Apply it but for its Deployments: no image can be pulled here, so operator and gateway run as processes."""
    objects = yaml.safe_load_all(kubectl.quiet("kustomize", str(PRODUCT)))
    kept = [each for each in objects if each["kind"] != "Deployment"]
    kubectl.quiet("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(kept))
    wait_until_served(kubectl)


def wait_until_served(kubectl: Kubectl) -> None:
    """Until TrainingJobs and their histories can be listed.

    `kubectl wait` is an error while a new CRD has no conditions at all.
    """
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        try:
            kubectl.quiet("get", f"{PLURAL}.{GROUP},{HISTORY_PLURAL}.{GROUP}", "--all-namespaces")
            return
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class OperatorProcess(Daemon):
    """The operator of one cluster; settings are its variables without their prefix."""

    name, ready_path = "operator", "/healthz"

    def __init__(self, cluster: LocalCluster, **settings: str) -> None:
        super().__init__(cluster.directory.path / "operator", cluster.directory.logs / "operator.log")
        self._cluster, self._settings = cluster, settings

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "training_operator"]

    def environment(self, port: int) -> Mapping[str, str]:
        kubeconfig = self._cluster.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
        values = {"ADDRESS": "127.0.0.1", "PORT": str(port), **self._settings}
        named = {ENVIRONMENT_PREFIX + name: value for name, value in values.items()}
        return {**os.environ, "KUBECONFIG": str(kubeconfig), **named}


class GatewayProcess(Daemon):
    """The HTTP API and the web page of one cluster, on this machine only; `flags` are those of its command line."""

    name, ready_path = "gateway", "/readyz"

    def __init__(self, cluster: LocalCluster, *flags: str) -> None:
        super().__init__(cluster.directory.path / "gateway", cluster.directory.logs / "gateway.log")
        self._cluster, self._flags = cluster, flags

    def command(self, port: int) -> list[str]:
        self.token_file.touch(mode=0o600)
        if not self.token:
            self.token_file.write_text(secrets.token_urlsafe(18))
        here = ["--address=127.0.0.1", f"--port={port}", f"--development-token-file={self.token_file}"]
        return [sys.executable, "-m", "training_gateway", *here, *self._flags]

    def environment(self, port: int) -> Mapping[str, str]:
        kubeconfig = self._cluster.service_account_kubeconfig(NAMESPACE, "trainingjob-gateway")
        return {**os.environ, "KUBECONFIG": str(kubeconfig)}

    @property
    def token_file(self) -> Path:
        """For whoever owns this directory."""
        return self.folder / "token"

    @property
    def token(self) -> str:
        return self.token_file.read_text()
