"""The product on the embedded cluster: what `kubectl apply -k deploy/base` installs, and the operator as a process.

The operator gets the token of its own ServiceAccount, never the administrator's: a right that is missing from
deploy/base is missing here too.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from local_cluster.cluster import LocalCluster
from quickstart.daemon import READY_TIMEOUT, Daemon
from quickstart.kubectl import Kubectl
from trainingjob_api.contract import GROUP, HISTORY_PLURAL, PLURAL

BASE = Path("deploy/base")
NAMESPACE = "trainingjob-system"
SERVICE_ACCOUNT = "trainingjob-operator"
ENVIRONMENT_PREFIX = "TRAININGJOB_OPERATOR_"


def install(kubectl: Kubectl) -> None:
    """Apply deploy/base but for its Deployment: no image can be pulled here, so the operator runs as a process."""
    objects = yaml.safe_load_all(kubectl.quiet("kustomize", str(BASE)))
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
