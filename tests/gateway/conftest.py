"""The gateway on a control plane without operator: tests write status themselves."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_cluster.cluster import LocalCluster
from quickstart.daemon import Daemon
from quickstart.product import GatewayProcess
from support.kubectl import Kubectl
from support.product import install_product

API = "/api/v1/epoch-training"


@pytest.fixture(scope="module")
def gateway(cluster: LocalCluster) -> Iterator[GatewayProcess]:
    install_product(cluster)
    process = GatewayProcess(cluster, "--requests-per-second=0")
    process.start()
    yield process
    process.stop()


class Another(GatewayProcess):
    """A gateway beside the first one."""

    def __init__(self, cluster: LocalCluster, folder: Path, *flags: str) -> None:
        super().__init__(cluster, *flags)
        Daemon.__init__(self, folder, folder / "gateway.log")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Shown:
    """One TrainingJob that is told to be at some epoch."""

    kubectl: Kubectl
    name: str

    @property
    def task_id(self) -> str:
        return f"{self.kubectl.namespace}.{self.name}"

    def write(self, epoch: int, phase: str = "Running") -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        latest = {"epoch": epoch, "trainLoss": 1.0, "validationLoss": 1.0}
        progress = {"epoch": epoch, "epochs": 1000, "step": epoch, "epochText": f"{epoch}/1000", "updateTime": now}
        status = {"phase": phase, "progress": progress, "metrics": {"latest": latest, "best": latest}}
        namespace = f"/apis/trainingjob.dev/v1alpha1/namespaces/{self.kubectl.namespace}"
        path, content = f"{namespace}/trainingjobs/{self.name}/status", "application/merge-patch+json"
        code, answer = self.kubectl.request("PATCH", path, body={"status": status}, content=content)
        assert code == 200, answer


@pytest.fixture
def shown(gateway: GatewayProcess, kubectl: Kubectl) -> Shown:
    return job_in(kubectl)


def job_in(kubectl: Kubectl) -> Shown:
    training = {
        "task": "classification",
        "data": {"format": "synthetic", "validation": {"fraction": 0.2}},
        "model": {"type": "mlp"},
    }
    manifest: dict[str, Any] = {
        "apiVersion": "trainingjob.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "job"},
        "spec": {"training": training, "checkpoint": {"volume": {"emptyDir": {}}}},
    }
    kubectl.create(manifest)
    job = Shown(kubectl, "job")
    job.write(1)
    return job
