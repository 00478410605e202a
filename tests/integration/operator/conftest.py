"""The operator on a real control plane, installed from deploy/base and run with no more rights than that grants."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training
from local_cluster.cluster import LocalCluster
from support.cluster import enforce_restricted
from support.kubectl import Kubectl
from support.product import install_product


@pytest.fixture(scope="session")
def installed(cluster: LocalCluster) -> LocalCluster:
    """deploy/base is applied, but for the Deployment: the tests run the operator themselves."""
    install_product(cluster)
    return cluster


@pytest.fixture(scope="module")  # one cluster is not to have two operators: other folders start their own
def _operator(installed: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    kubeconfig = installed.service_account_kubeconfig("trainingjob-system", "trainingjob-operator")
    process = OperatorProcess(kubeconfig, tmp_path_factory.mktemp("operator") / "log")
    yield process
    process.stop()


@pytest.fixture
def operator(_operator: OperatorProcess) -> OperatorProcess:
    """The operator, running; a test may end it."""
    _operator.start()
    return _operator


@pytest.fixture
def training(installed: LocalCluster, kubectl: Kubectl) -> Training:
    """TrainingJobs of the test's own namespace."""
    enforce_restricted(kubectl)
    kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "data"}, "data": {"train.csv": "x,y"}})
    return Training(kubectl)


@pytest.fixture
def writes(installed: LocalCluster, namespace: str) -> "Writes":
    return Writes(installed.audit_log, namespace)


class Writes:
    """What the operator has written in one namespace, from the API server's own audit log."""

    def __init__(self, log: Path, namespace: str) -> None:
        self._log, self._namespace = log, namespace

    def __call__(self) -> list[str]:
        """Such as `create jobs` or `update trainingjobs/status`; refused ones too, events not."""
        return [f"{verb} {resource}" for verb, resource in self._entries() if not resource.startswith("events")]

    def _entries(self) -> Iterator[tuple[str, str]]:
        for line in self._log.read_text().splitlines():
            entry = json.loads(line)
            target = entry.get("objectRef", {})
            is_ours = entry["user"]["username"].endswith(":trainingjob-operator")
            if is_ours and target.get("namespace") == self._namespace and entry["verb"] not in ("get", "list", "watch"):
                sub = f"/{target['subresource']}" if target.get("subresource") else ""
                yield entry["verb"], f"{target['resource']}{sub}"
