"""What the default scheduler does to a training: it ends it for one that matters more, or places only a part of it."""

import json
from typing import Any

from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training, is_true

MORE_THAN_HALF = "40"
"""CPUs, of the 64 that the node is said to have."""


def submit(training: Training, name: str, priority: str = "", **options: Any) -> None:
    job = training.manifest(name, **options)
    job["spec"]["pod"]["resources"] = {"requests": {"cpu": MORE_THAN_HALF}}
    if priority:
        job["spec"]["pod"]["priorityClassName"] = priority
    training.kubectl.apply(job)


def test_a_pod_that_matters_more_takes_the_place_and_gives_it_back(
    operator: OperatorProcess, training: Training
) -> None:
    name = f"urgent-{training.kubectl.namespace}"
    urgent = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 1000}
    training.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(urgent))
    submit(training, "low", training__epochs=1000)
    training.until_step(1, "low")
    submit(training, "high", name, step=0.01)
    training.until_true("Complete", "high")
    status = training.until_attempt(2, "low")
    assert (status["restarts"], status["disruptions"]) == (0, 1)
    assert status["lastFailure"]["reason"] == "Preempted"


def test_a_training_of_which_only_a_part_finds_a_place_gives_it_back(
    operator: OperatorProcess, training: Training
) -> None:
    submit(training, "wide", training__epochs=1000, nodes=2, deadlines={"startSeconds": 3})

    def gave_up(status: dict[str, Any]) -> bool:
        return bool(status.get("lastFailure", {}).get("reason") == "PartlyPlaced")

    status = training.until(gave_up, "PartlyPlaced", "wide")
    assert status["restarts"] == 0
    submit(training, "narrow", step=0.01)
    training.until(lambda status: is_true(status, "Complete"), "the place that was given back", "narrow")
