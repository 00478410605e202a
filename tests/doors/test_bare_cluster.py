"""`doctor` and a cluster that is not ready: nothing is installed, the CRD is old, nobody operates, nobody answers."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.cluster import LocalCluster
from support.kubectl import Kubectl
from support.product import install_product
from support.terminal import Terminal, terminal_in
from support.waiting import wait_for
from trainingjob_api.schema import custom_resource_definition, history_definition


@pytest.fixture
def bare(cluster: LocalCluster, kubectl: Kubectl, tmp_path: Path) -> Terminal:
    """On a cluster on which nothing of this project need be installed, or run."""
    return terminal_in(kubectl, tmp_path)


def test_a_cluster_that_is_not_ready_is_told_what_it_lacks(bare: Terminal, cluster: LocalCluster) -> None:
    kubectl = bare.kubectl
    crds = [custom_resource_definition(), history_definition()]
    names = [each["metadata"]["name"] for each in crds]
    kubectl("delete", "crd", *names, "--ignore-not-found", "--wait")
    said = bare.says("doctor", code=1)
    assert "bad  the cluster does not know trainingjobs and traininghistories; kubectl apply -k deploy/base" in said
    assert "trainingjob doctor says what is missing" in bare.says("list", code=1)

    older = copy.deepcopy(crds)
    spec = older[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del spec["deadlines"]["properties"]["totalSeconds"]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(older))
    words = "bad  the cluster's CRD is older than this client: it does not know spec.deadlines.totalSeconds"
    wait_for(lambda: words in bare.piped("doctor").stdout, words, interval=5.0)

    install_product(cluster)
    words = "ok   the cluster's CRD has the fields that this client has"
    wait_for(lambda: words in bare.piped("doctor").stdout, words, interval=5.0)
    kubectl.create(_paused())
    words = "bad  nobody has looked at 1 job for over a minute, such as job; see whether the operator runs"
    wait_for(lambda: words in bare.piped("doctor").stdout, words, interval=5.0)
    said = bare.says("doctor", "job", code=1)
    assert "bad  job is Pending: nobody has looked at it: the operator does not run" in said
    assert "next See whether the operator runs: trainingjob doctor" in said


def _paused() -> dict[str, Any]:
    training = {"task": "classification", "data": {"format": "synthetic"}, "model": {"type": "mlp"}}
    spec = {"suspend": True, "training": training, "checkpoint": {"volume": {"emptyDir": {}}}}
    return {"apiVersion": "trainingjob.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "job"}, "spec": spec}


def test_who_may_not_and_who_cannot_reach_it_are_told_so(bare: Terminal, cluster: LocalCluster) -> None:
    install_product(cluster)
    own = cluster.service_account_kubeconfig(bare.kubectl.namespace, "default")
    said = bare.says("doctor", "--kubeconfig", str(own), code=1)
    assert "bad  you may not list trainingjobs, create trainingjobs" in said
    assert "ask for the role trainingjob-edit (all of it) or trainingjob-view" in said
    assert "note nodes may not be read" in said

    config = yaml.safe_load((bare.folder / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (bare.folder / "away").write_text(yaml.safe_dump(config))
    said = bare.says("doctor", "--kubeconfig", "away", code=1)
    assert "bad  https://127.0.0.1:9: the API server does not answer" in said
    assert "see whether the kubeconfig has the right address and credentials" in said
