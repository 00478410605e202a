"""TrainingJobs in the hands of a scheduler that places gangs: the pods of an attempt are all placed, or none is."""

from typing import Any

from gang.conftest import NAME
from support.product import Training, Trainings
from trainingjob_api.status import ConditionType, Phase, Reason, TrainingJobStatus

MORE_THAN_HALF, LESS_THAN_HALF = "40", "20"
"""CPUs, of the 64 that the node is said to have."""
GROUP = {"scheduling.x-k8s.io/pod-group": "pair"}


def submit_pair(trainings: Trainings, cpu: str) -> Training:
    requests = {"requests": {"cpu": cpu}}
    return trainings.submit("pair", nodes=2, pod__schedulerName=NAME, pod__labels=GROUP, pod__resources=requests)


def placed(job: Training) -> list[Any]:
    return [pod for pod in job.pods() if "nodeName" in pod["spec"]]


def is_told(status: TrainingJobStatus) -> bool:
    condition = status.condition(ConditionType.RECONCILING)
    return condition is not None and condition.reason == Reason.UNSCHEDULABLE


def test_a_gang_without_room_for_all_takes_no_place_from_others(trainings: Trainings) -> None:
    pair = submit_pair(trainings, MORE_THAN_HALF)
    pair.wait(is_told, "Unschedulable")
    assert len(pair.pods()) == 2
    assert placed(pair) == [], "there would be room for one"
    alone = trainings.submit("alone", training__epochs=2, pod__resources={"requests": {"cpu": MORE_THAN_HALF}})
    assert alone.wait_for_end().phase == Phase.SUCCEEDED
    assert placed(pair) == []


def test_a_gang_that_fits_is_placed_whole_and_trains(trainings: Trainings) -> None:
    pair = submit_pair(trainings, LESS_THAN_HALF)
    pair.wait_for_step(5)
    assert len(placed(pair)) == 2
    paused = pair.pause()
    assert paused.pause is not None
    assert (paused.pause.lost_steps, paused.pause.resources_released) == (0, True)
    pair.suspend(False)
    resumed = pair.wait(lambda status: status.resume and status.phase == Phase.RUNNING, "the next attempt").resume
    assert resumed is not None
    assert (resumed.from_step, resumed.exactness) == (paused.pause.saved_step, "Bitwise")
