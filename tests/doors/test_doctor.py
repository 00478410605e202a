"""`doctor`: why a job does not run, and what a cluster lacks, each with the next step."""

import re
from typing import Any

import pytest

from support.manifests import ABSENT
from support.product import Trainings
from support.terminal import Terminal
from support.waiting import wait_for

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
