"""`doctor`: why a job does not run, and what a cluster lacks, each with the next step."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.cluster import LocalCluster
from support.kubectl import Kubectl
from support.manifests import ABSENT
from support.product import Trainings, install_product
from support.terminal import Terminal, terminal_in
from support.waiting import wait_for
from trainingjob_api.schema import custom_resource_definition, history_definition

CRASH = {"data": {"train.py": "raise RuntimeError('the learning rate is from yesterday')"}}
QUOTA = {"spec": {"hard": {"pods": "0"}}}
PROGRAM: dict[str, Any] = {
    "training": ABSENT,
    "script": {"path": "/program/train.py"},
    "restart": {"maxRestarts": 0},
    "pod": {
        "volumes": [{"name": "program", "configMap": {"name": "program"}}],
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    },
}
JOBS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an image that cannot be pulled": (
        {"pod__image": "registry.example.org/none:1"},
        r"bad +job is \w+: Pod job-1-0-\w+: .*registry\.example\.org/none:1",
        "Correct spec.pod.image or imagePullSecrets while it is paused: trainingjob pause job",
    ),
    "a claim that is not there": (
        {"claim": "gone"},
        r"bad +job is .*persistentvolumeclaim \"gone\" not found(.|\n)*bad +it needs claim gone, which is not there",
        "Make what is missing: kubectl get pvc,configmap,secret",
    ),
    "more GPUs than there are": (
        {"pod__resources": {"limits": {"nvidia.com/gpu": "64"}}},
        r"job is \w+: Pod job-1-0-\w+: 0/\d nodes are available: .*Insufficient nvidia\.com/gpu",
        "Ask for less (spec.pod.resources, spec.nodes), or make room: kubectl describe nodes",
    ),
    "a program that crashes": (
        PROGRAM,
        r"bad +job is Failed: .*the learning rate is from yesterday",
        "See what it said last: trainingjob logs job --tail 50",
    ),
    "a file that is not there": (
        {"training__epochs": 3, "training__data__path": "/data/other.csv"},
        r"bad +job is Failed: .*/data/other\.csv",
        "Correct the data that the message names, and submit it under another name",
    ),
    "a column that is not there": (
        {"training__epochs": 3, "training__data__target": "colour"},
        r"bad +job is Failed: .*colour",
        "and submit it under another name",
    ),
    "a volume of a ConfigMap that is not there": (
        {"pod__volumes": [{"name": "data", "configMap": {"name": "nowhere"}}]},
        r"bad +job is .*waits for its volumes \(ConfigMap nowhere\)",
        "it needs ConfigMap nowhere, which is not there; make it: kubectl create configmap nowhere",
    ),
    "a quota that is spent": (
        {"pod__labels": {"quota": "spent"}},
        r"bad +job is \w+: Job job-1 gets no pod; a quota(.|\n)*bad +Error creating: pods .* exceeded quota",
        "A quota, a policy or a missing right refuses it: kubectl get events",
    ),
}


@pytest.mark.parametrize(("changes", "reason", "step"), JOBS.values(), ids=JOBS)
def test_a_job_that_does_not_run_is_told_why(
    changes: dict[str, Any], reason: str, step: str, terminal: Terminal, trainings: Trainings
) -> None:
    trainings.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "program"}, **CRASH})
    if "pod__labels" in changes:
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, **QUOTA}
        trainings.kubectl.apply(quota)
    trainings.submit("job", **changes)

    def doctor() -> str | None:
        said = terminal.piped("doctor", "job").stdout
        return said if re.search(reason, said) and step in said else None

    said = wait_for(doctor, f"{reason} and {step}", interval=5.0)
    assert terminal.piped("describe", "job").returncode == 0
    print(said)


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
