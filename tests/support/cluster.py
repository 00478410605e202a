"""The cluster that integration tests run on: a local one for the session, or, with CLUSTER_UNDER_TEST, the one of
KUBECONFIG. Every test gets a namespace of its own."""

import contextlib
import os
import shlex
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cluster import binaries
from local_cluster.cluster import LocalCluster
from local_cluster.settings import FAST, Settings
from support.kubectl import Kubectl
from support.waiting import wait_for

# More than the machine has, so that the scheduler lets tests run pods side by side on two cores.
CAPACITY = {"cpu": "64", "memory": "256Gi"}
SIMULATED_GPUS = 2

FAKE_TRAINER = "local/fake-trainer"
"""Image of a program that ends, saves and reports as it is told, for tests of the operator alone."""
_IMAGES = {FAKE_TRAINER: shlex.join([sys.executable, str(Path(__file__).with_name("fake_trainer.py"))])}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane before the first test, if it has to be: that may take longer than a test may."""
    wanted = any({"cluster", "admin_kubeconfig"} & set(getattr(item, "fixturenames", ())) for item in session.items)
    if wanted and not session.config.option.collectonly and not os.environ.get("CLUSTER_UNDER_TEST"):
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            binaries.find()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A local cluster with fast detection of a lost node, two simulated GPUs and room for many pods."""
    settings = Settings(timing=FAST, gpus=SIMULATED_GPUS, capacity=CAPACITY, images=_IMAGES, witness=True)
    local = LocalCluster(tmp_path_factory.mktemp("cluster"), settings)
    with _terminated_as_interrupted():
        try:
            local.start()
            yield local
        finally:
            local.stop()


@pytest.fixture(scope="session")
def admin_kubeconfig(request: pytest.FixtureRequest) -> Path:
    """An administrator's kubeconfig of whichever cluster is tested."""
    if os.environ.get("CLUSTER_UNDER_TEST"):
        return Path(os.environ["KUBECONFIG"])
    local: LocalCluster = request.getfixturevalue("cluster")
    return local.kubeconfig


@contextlib.contextmanager
def new_namespace(kubeconfig: Path) -> Iterator[Kubectl]:
    """kubectl in a namespace that is ready for pods; deleted afterwards without waiting for the end of that."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    admin = kubectl_of(kubeconfig, name)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    status, answer = admin.request("POST", "/api/v1/namespaces", body=body)
    assert status == 201, answer
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    wait_for(lambda: admin.request("GET", account)[0] == 200, f"the ServiceAccount of {name}")
    try:
        yield admin
    finally:
        admin.request("DELETE", f"/api/v1/namespaces/{name}")


def enforce_restricted(kubectl: Kubectl) -> None:
    """From here on its namespace refuses pods that the restricted Pod Security Standard does not allow."""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    path, content = f"/api/v1/namespaces/{kubectl.namespace}", "application/merge-patch+json"
    status, answer = kubectl.request("PATCH", path, body=labels, content=content)
    assert status == 200, answer


@pytest.fixture
def kubectl(admin_kubeconfig: Path) -> Iterator[Kubectl]:
    """kubectl as an administrator, in a namespace of the test's own."""
    with new_namespace(admin_kubeconfig) as kubectl:
        yield kubectl


@pytest.fixture
def namespace(kubectl: Kubectl) -> str:
    """The test's own."""
    return kubectl.namespace


def kubectl_of(kubeconfig: Path, namespace: str) -> Kubectl:
    return Kubectl(kubeconfig, namespace, str(binaries.find_kubectl()))


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends pytest as Ctrl-C does: with the teardown that ends the cluster's processes."""

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
