"""An embedded cluster on which the operator's Deployment runs: its image is a name for a program of this machine."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from delivery.programs import CHART, Object, find_helm
from local_cluster.cluster import LocalCluster
from local_cluster.settings import FAST, Settings
from support.cluster import CAPACITY, kubectl_of
from support.kubectl import Kubectl

NAMESPACE = "trainingjob-system"
OPERATOR = "ghcr.io/trainingjob/operator"
TRAINER = "ghcr.io/trainingjob/trainer"
GATEWAY = "ghcr.io/trainingjob/gateway"
RELEASED = Path(__file__).parent / "released"
OLD = "0.1.0"
NEW = "today"
_START = [sys.executable, str(Path(__file__).with_name("image.py"))]
_OLD_PROGRAMS = str(RELEASED / OLD / "programs.zip")
_IMAGES = {
    f"{OPERATOR}:{OLD}": shlex.join([*_START, "training_operator", _OLD_PROGRAMS]),
    f"{TRAINER}:{OLD}": shlex.join([*_START, "trainer", _OLD_PROGRAMS]),
    f"{OPERATOR}:{NEW}": shlex.join([*_START, "training_operator", NEW]),
    f"{TRAINER}:{NEW}": shlex.join([*_START, "trainer", NEW]),
    f"{GATEWAY}:{NEW}": shlex.join([*_START, "training_gateway", NEW]),
}
_ADDRESS = {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
_ACCOUNT = {"name": "SERVICE_ACCOUNT", "value": "/var/run/secrets/kubernetes.io/serviceaccount"}
PLACES: list[Object] = [_ACCOUNT, {"name": "TRAININGJOB_OPERATOR_ADDRESS", **_ADDRESS}]
"""Variables that stand for what a container of its own would have: a token at the usual place, and all of its ports."""


@dataclass(frozen=True)
class Helm:
    """helm against one cluster and namespace."""

    kubeconfig: Path
    namespace: str
    home: Path

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        places = {f"HELM_{name}_HOME": str(self.home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [find_helm(), "--namespace", self.namespace, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **places, "KUBECONFIG": str(self.kubeconfig)},
        )

    def __call__(self, *arguments: str, **values: object) -> str:
        """What it printed; values are those of the chart, over those that the embedded cluster needs."""
        given = (*arguments, str(CHART), "--values", "-") if arguments[0] in ("install", "upgrade") else arguments
        done = self.run(*given, stdin=yaml.safe_dump(_merged(HERE, values)))
        assert done.returncode == 0, f"helm {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


HERE: Object = {
    "operator": {"image": {"tag": NEW}, "env": PLACES},
    "trainer": {"image": {"tag": NEW}},
    "gateway": {
        "image": {"tag": NEW},
        "env": [_ACCOUNT, {"name": "POD_IP", **_ADDRESS}],
        "args": ["--address=$(POD_IP)"],
    },
}


def _merged(base: Object, over: Object) -> Object:
    both = {name for name in base.keys() & over.keys() if isinstance(base[name], dict) and isinstance(over[name], dict)}
    return {**base, **over, **{name: _merged(base[name], over[name]) for name in both}}


@pytest.fixture(scope="session")
def deliverable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster that has the operator's images."""
    settings = Settings(timing=FAST, capacity=CAPACITY, images=_IMAGES, witness=True)
    local = LocalCluster(tmp_path_factory.mktemp("cluster"), settings)
    try:
        local.start()
        yield local
    finally:
        local.stop()


@pytest.fixture
def helm(deliverable: LocalCluster, tmp_path: Path) -> Helm:
    return Helm(deliverable.kubeconfig, NAMESPACE, tmp_path / "helm")


@pytest.fixture
def admin(deliverable: LocalCluster) -> Kubectl:
    """kubectl as an administrator, in the operator's namespace."""
    return kubectl_of(deliverable.kubeconfig, NAMESPACE)


@pytest.fixture
def admin_kubeconfig(deliverable: LocalCluster) -> Path:
    """Of this folder's cluster: the test's own namespace is in it."""
    return deliverable.kubeconfig
