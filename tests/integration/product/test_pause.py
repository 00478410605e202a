"""A pause at any moment saves what was done, frees the pods, says so, and the job goes on from there."""

from contextlib import suppress

import pytest

from local_cluster.cluster import LocalCluster
from support.kubectl import Refused
from support.product import Training, Trainings
from support.waiting import wait_for
from trainingjob_api.progress import State
from trainingjob_api.status import Phase, TrainingJobStatus


def require_proof(status: TrainingJobStatus, at_least: int) -> int:
    """The step that the pause has proven to be on disk."""
    pause = status.pause
    assert pause is not None
    assert (pause.lost_steps, pause.evidence, pause.resources_released) == (0, "PodReport", True)
    assert pause.saved_step is not None
    assert pause.saved_step >= at_least
    return pause.saved_step


def goes_on_from(job: Training, step: int) -> None:
    job.suspend(False)
    resumed = job.wait(lambda status: status.resume and status.phase == Phase.RUNNING, "the resumed attempt")
    assert resumed.resume is not None
    assert (resumed.resume.from_step, resumed.resume.exactness) == (step, "Bitwise")
    job.wait_for_step(step)


def first_pod(job: Training, attempt: int) -> str:
    """Name of the running pod of node 0."""
    names = [pod["metadata"]["name"] for pod in job.pods(attempt) if pod["status"]["phase"] == "Running"]
    return next((name for name in names if name.startswith(f"{job.name}-{attempt}-0-")), "")


def test_in_the_middle_of_an_epoch(trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    reached = job.wait_for_step(20).step
    status = job.pause()
    saved = require_proof(status, reached)
    assert job.pods() == []
    assert (status.phase, status.restarts, status.disruptions) == (Phase.PAUSED, 0, 0)
    goes_on_from(job, saved)


def test_while_the_first_attempt_imports(trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    job.wait(lambda status: status.attempt == 1 and job.pods(), "the first pods")
    status = job.pause()
    assert status.pause is not None
    assert (status.pause.saved_step, status.pause.lost_steps, status.restarts) == (None, 0, 0)
    job.suspend(False)
    job.wait_for_step(0)


def test_in_the_rendezvous_with_a_peer_held_back(cluster: LocalCluster, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    job.wait_for_step(20)
    saved = require_proof(job.pause(), 20)
    namespace = trainings.kubectl.namespace
    hold = cluster.hold_pod(namespace, "job-2-1-*")
    try:
        job.suspend(False)
        pod = wait_for(lambda: first_pod(job, 2), "node 0 to run")
        wait_for(lambda: len(cluster.pod_processes(namespace, pod)) > 1, "its launcher")
        again = job.pause()
    finally:
        hold.release()
    assert again.pause is not None
    assert (again.pause.saved_step, again.pause.lost_steps) == (saved, 0)
    goes_on_from(job, saved)


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        pytest.param(State.EVALUATING, {"training__data__validation": {"fraction": 0.9}}, id="evaluation"),
        pytest.param(State.SAVING, {"checkpoint__every": {"steps": 1}}, id="a save"),
    ],
)
def test_during(trainings: Trainings, state: State, changes: dict[str, object]) -> None:
    job = trainings.submit(**changes)
    reached = job.wait_for_progress(lambda progress: progress.state == state and progress.step > 0, f"{state}").step
    goes_on_from(job, require_proof(job.pause(), reached))


def test_around_the_last_step_the_job_is_paused_or_complete(trainings: Trainings) -> None:
    job = trainings.submit(training__epochs=60)
    job.wait_for_progress(lambda progress: progress.epoch >= 58, "the last epochs")
    with suppress(Refused):  # what is over changes no more
        job.suspend()
    status = job.wait(lambda status: status.phase in (Phase.PAUSED, Phase.SUCCEEDED), "a truthful end")
    if status.phase == Phase.PAUSED:
        require_proof(status, 1)
        job.suspend(False)
    end = job.wait_for_end()
    assert end.phase == Phase.SUCCEEDED
    assert end.progress is not None
    assert end.progress.epoch == 60


def test_twenty_quick_toggles_end_complete(trainings: Trainings) -> None:
    job = trainings.submit(training__epochs=300)
    for toggle in range(20):
        job.suspend(toggle % 2 == 0)
    end = job.wait_for_end()
    assert (end.phase, end.restarts) == (Phase.SUCCEEDED, 0)
