"""The product on the embedded cluster: what `kubectl apply -k deploy/base` installs, and the operator as a process.

The operator gets the token of its own ServiceAccount, never the administrator's: a right that is missing from
deploy/base is missing here too.
"""

import os
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import yaml

from local_cluster import processes
from local_cluster.cluster import LocalCluster
from local_cluster.ports import reserved_ports
from local_cluster.processes import Process, Register
from quickstart.kubectl import Kubectl
from trainingjob_api.contract import GROUP, PLURAL

BASE = Path("deploy/base")
NAMESPACE = "trainingjob-system"
SERVICE_ACCOUNT = "trainingjob-operator"
ENVIRONMENT_PREFIX = "TRAININGJOB_OPERATOR_"
READY_TIMEOUT = 60.0  # seconds


def install(kubectl: Kubectl) -> None:
    """Apply deploy/base but for its Deployment: no image can be pulled here, so the operator runs as a process."""
    objects = yaml.safe_load_all(kubectl.quiet("kustomize", str(BASE)))
    kept = [each for each in objects if each["kind"] != "Deployment"]
    kubectl.quiet("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(kept))
    wait_until_served(kubectl)


def wait_until_served(kubectl: Kubectl) -> None:
    """Until TrainingJobs can be listed. `kubectl wait` is an error while a new CRD has no conditions at all."""
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        try:
            kubectl.quiet("get", f"{PLURAL}.{GROUP}", "--all-namespaces")
            return
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class OperatorProcess:
    """The operator of one cluster, started detached and found again by pid and start time."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        folder = cluster.directory.path / "operator"
        self._register, self._port_file = Register(folder / "process.json"), folder / "port"
        self.log = cluster.directory.logs / "operator.log"

    @property
    def process(self) -> Process | None:
        """None when it does not run."""
        return self._register.living().get("operator")

    @property
    def port(self) -> int:
        """Of its /healthz and /metrics, on 127.0.0.1."""
        return int(self._port_file.read_text())

    def start(self, **settings: str) -> None:
        """Start it unless it runs; settings are its variables without their prefix. Returns once it is healthy."""
        with reserved_ports(1) as (port,):
            if self.process is None:
                self._start(port, settings)
            self._wait_until_healthy()

    def _start(self, port: int, settings: Mapping[str, str]) -> None:
        self._port_file.parent.mkdir(parents=True, exist_ok=True)
        self._port_file.write_text(str(port))
        kubeconfig = self._cluster.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
        values = {"ADDRESS": "127.0.0.1", "PORT": str(port), **settings}
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        environment |= {ENVIRONMENT_PREFIX + name: value for name, value in values.items()}
        command = [sys.executable, "-m", "training_operator"]
        self._register.add(processes.start("operator", command, self.log, environment))

    def stop(self) -> None:
        if process := self.process:
            process.stop()

    def kill(self) -> None:
        """SIGKILL, as when its node dies."""
        if process := self.process:
            process.stop(grace=0)

    @property
    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while not self.is_healthy:
            if self.process is None or time.monotonic() > deadline:
                raise RuntimeError(f"the operator does not become healthy; its log is {self.log}")
            time.sleep(0.1)
