"""A cluster with Kueue in it, and for each test a namespace with a queue of its own."""

import json
from collections.abc import Iterator

import pytest

from kueue.kueue_process import Kueue
from local_cluster.cluster import LocalCluster
from support.cluster import kubectl_of
from support.kubectl import Kubectl
from support.product import Trainings, trainings_in

POOL = {"example.com/pool": "training"}
"""Label of the nodes that the flavour is about."""
QUOTA = "2"
API = "kueue.x-k8s.io/v1beta2"


@pytest.fixture(scope="session")
def kueue(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kueue]:
    process = Kueue(cluster, tmp_path_factory.mktemp("kueue"))
    process.start()
    admin = kubectl_of(cluster.kubeconfig, "default")
    for label, value in POOL.items():
        admin("label", "node", "local", f"{label}={value}")
    _apply(admin, "ResourceFlavor", "training", spec={"nodeLabels": POOL})
    _apply(admin, "WorkloadPriorityClass", "urgent", value=1000, description="Before all others.")
    yield process
    process.stop()


@pytest.fixture
def queued(kueue: Kueue, operator: object, kubectl: Kubectl) -> Trainings:
    """TrainingJobs of the test's own namespace, whose queue `default` has two CPUs."""
    resources = [{"name": "cpu", "nominalQuota": QUOTA}, {"name": "memory", "nominalQuota": "100Gi"}]
    group = {"coveredResources": ["cpu", "memory"], "flavors": [{"name": "training", "resources": resources}]}
    spec = {
        "namespaceSelector": {},
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [group],
    }
    _apply(kubectl, "ClusterQueue", kubectl.namespace, spec=spec)
    local = {"spec": {"clusterQueue": kubectl.namespace}}
    _apply(kubectl, "LocalQueue", "default", namespace=kubectl.namespace, **local)
    return trainings_in(kubectl)


def _apply(kubectl: Kubectl, kind: str, name: str, namespace: str = "", **body: object) -> None:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    manifest = {"apiVersion": API, "kind": kind, "metadata": metadata, **body}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
