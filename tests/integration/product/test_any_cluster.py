"""What must work on every cluster that has the operator: the examples as a user applies them, a pause, a resume.

`make test-cluster` runs this against $KUBECONFIG, where the operator is installed; `make test` on the local cluster.
Nothing here reaches a pod or a node except through the API server.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.cluster import enforce_restricted
from support.kubectl import Kubectl
from support.product import Training
from support.waiting import PATIENCE
from trainingjob_api.status import ConditionType, Phase

pytestmark = pytest.mark.any_cluster

EXAMPLES = Path(__file__).parents[3] / "deploy/examples"


@pytest.fixture
def restricted(request: pytest.FixtureRequest, kubectl: Kubectl) -> Kubectl:
    """A namespace that enforces the restricted Pod Security Standard, on a cluster with the operator."""
    if os.environ.get("CLUSTER_UNDER_TEST"):
        namespace = os.environ.get("OPERATOR_NAMESPACE", "trainingjob-system")
        kubectl(
            "wait", "deployment", "-n", namespace, "--all", "--for=condition=Available", f"--timeout={PATIENCE:.0f}s"
        )
    else:
        request.getfixturevalue("operator")
    enforce_restricted(kubectl)
    return kubectl


def submit(kubectl: Kubectl, example: str) -> Training:
    """Apply an example; TRAINER_IMAGE takes the place of the operator's default image."""
    data, job = yaml.safe_load_all((EXAMPLES / f"{example}.yaml").read_text())
    if image := os.environ.get("TRAINER_IMAGE"):
        job["spec"]["pod"]["image"] = image
    documents: list[dict[str, Any]] = [data, job]
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))
    return Training(kubectl, example)


@pytest.mark.parametrize("example", ["iris", "wine", "breast-cancer", "iris-three-pods"])
def test_a_classification_ends_with_a_good_accuracy(restricted: Kubectl, example: str) -> None:
    end = submit(restricted, example).wait_for_end()
    assert end.phase == Phase.SUCCEEDED, end.to_json_object()
    assert end.metrics is not None
    assert end.metrics.test is not None
    assert (end.metrics.test.accuracy or 0) > 0.9


def test_a_regression_explains_what_it_predicts(restricted: Kubectl) -> None:
    end = submit(restricted, "diabetes").wait_for_end()
    assert end.phase == Phase.SUCCEEDED, end.to_json_object()
    assert end.metrics is not None
    assert end.metrics.test is not None
    assert (end.metrics.test.r2 or 0) > 0.3


def test_the_digits_are_paused_and_resumed(restricted: Kubectl) -> None:
    job = submit(restricted, "digits")
    job.wait(lambda status: status.progress and status.progress.epoch > 0, "the first epoch in status")
    paused = job.pause()
    assert paused.pause is not None
    assert (paused.pause.lost_steps, paused.pause.evidence) == (0, "PodReport")
    job.suspend(False)
    resumed = job.wait(lambda status: status.resume, "where it went on from").resume
    assert resumed is not None
    assert (resumed.from_step, resumed.exactness) == (paused.pause.saved_step, "Bitwise")
    end = job.wait_for_end()
    assert (end.phase, end.attempt, end.restarts) == (Phase.SUCCEEDED, 2, 0)
    assert end.is_true(ConditionType.COMPLETE)
    assert end.metrics is not None
    assert end.metrics.test is not None
    assert (end.metrics.test.accuracy or 0) >= 0.95
