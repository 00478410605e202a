"""The cluster's own view, edit and admin roles have TrainingJobs in them; what is the operator's they have not."""

from pathlib import Path

import pytest

from local_cluster.cluster import LocalCluster
from support.cluster import kubectl_of
from support.kubectl import Kubectl
from support.product import install_product


@pytest.fixture(scope="module")
def installed(cluster: LocalCluster) -> Path:
    install_product(cluster)
    return cluster.kubeconfig


@pytest.mark.parametrize(("role", "may_write"), [("view", False), ("edit", True), ("admin", True)])
def test_what_a_role_may_do(
    installed: Path, cluster: LocalCluster, kubectl: Kubectl, role: str, may_write: bool
) -> None:
    kubectl("create", "serviceaccount", role)
    kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={kubectl.namespace}:{role}")
    somebody = kubectl_of(cluster.service_account_kubeconfig(kubectl.namespace, role), kubectl.namespace)
    expected = {
        **{("trainingjobs", verb): True for verb in ("get", "list", "watch")},
        **{("trainingjobs", verb): may_write for verb in ("create", "patch", "delete", "deletecollection")},
        ("traininghistories", "get"): True,
        ("traininghistories", "update"): False,
        ("trainingjobs/status", "get"): True,
        ("trainingjobs/status", "update"): False,
    }
    found = {(resource, verb): somebody.may(verb, resource) for resource, verb in expected}
    assert found == expected
