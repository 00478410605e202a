"""A cluster with a second scheduler beside its own: kube-scheduler with the coscheduling plugin, which places gangs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster import processes
from local_cluster.cluster import LocalCluster
from support.cluster import kubectl_of
from support.go_programs import built, sources_of
from support.kubectl import Kubectl
from support.product import Trainings, trainings_in

SCHEDULER = Path(__file__).parent / "scheduler"
NAME = "coscheduling"
API = "scheduling.x-k8s.io/v1alpha1"


@pytest.fixture(scope="session")
def scheduler(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its name, for `schedulerName`."""
    folder = tmp_path_factory.mktemp("scheduler")
    admin = kubectl_of(cluster.kubeconfig, "default")
    manifests = sources_of(SCHEDULER, "sigs.k8s.io/scheduler-plugins") / "config/crd/bases"
    admin("apply", "--server-side", "-f", str(manifests))
    admin("wait", "--for=condition=Established", "--timeout=300s", "-f", str(manifests))
    configuration = folder / "scheduler.yaml"
    configuration.write_text(yaml.safe_dump(_configuration(cluster.kubeconfig)))
    command = [str(built("coscheduling", SCHEDULER)), f"--config={configuration}", "--secure-port=0"]
    process = processes.start(NAME, command, folder / "scheduler.log", os.environ)
    yield NAME
    process.stop()


def _configuration(kubeconfig: Path) -> dict[str, Any]:
    plugin = {"enabled": [{"name": "Coscheduling"}]}
    profile = {
        "schedulerName": NAME,
        "plugins": {"multiPoint": plugin, "queueSort": {**plugin, "disabled": [{"name": "*"}]}},
        "pluginConfig": [{"name": "Coscheduling", "args": {"permitWaitingTimeSeconds": 10}}],
    }
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "profiles": [profile],
    }


@pytest.fixture
def trainings(scheduler: str, operator: object, kubectl: Kubectl) -> Trainings:
    """In a namespace with a PodGroup `pair`, of which both pods are placed or none."""
    group = {"apiVersion": API, "kind": "PodGroup", "metadata": {"name": "pair"}, "spec": {"minMember": 2}}
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(group))
    return trainings_in(kubectl)
