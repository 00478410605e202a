"""What the operator says and does about things that happened while it was not there."""

from collections.abc import Iterator

import pytest

from integration.operator.conftest import Writes
from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training, is_true
from local_cluster.cluster import LocalCluster
from support.waiting import PATIENCE, wait_for


@pytest.fixture
def operator(operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """Running again after the test, whatever became of it."""
    yield operator
    operator.start()


def until_job(training: Training, type: str) -> None:
    """The Job controller says so about the first attempt's Job."""

    def holds() -> bool:
        conditions = training.kubectl.get("jobs", "job-1")["status"].get("conditions", [])
        return any(one["type"] == type and one["status"] == "True" for one in conditions)

    wait_for(holds, f"Job condition {type}")


def test_a_restart_over_unchanged_objects_writes_nothing(
    operator: OperatorProcess, training: Training, writes: Writes
) -> None:
    training.create("running", training__epochs=1000, step=60)
    training.create("paused", suspend=True)
    training.create("done", step=0.01)
    training.create("failed", fail="1:0:44")
    training.until_true("Complete", "done")
    training.until_true("Failed", "failed")
    training.until_true("Suspended", "paused")
    training.until_true("Running", "running")
    training.until(lambda status: "progress" in status, "the first progress", "running")
    before = writes()
    operator.kill()
    operator.start()
    # A change that it must react to shows that it has seen everything.
    training.create("later", step=0.01)
    training.until_true("Complete", "later")
    new = writes()[len(before) :]
    assert "create jobs" in new
    assert len([write for write in new if write == "create jobs"]) == 1
    versions = {name: training.get(name)["metadata"]["resourceVersion"] for name in ("paused", "done", "failed")}
    operator.stop()
    operator.start()
    assert versions == {name: training.get(name)["metadata"]["resourceVersion"] for name in versions}
    assert len(writes()) == len(before) + len(new)


def test_killed_in_the_middle_of_a_training(operator: OperatorProcess, training: Training) -> None:
    training.create()
    training.until_true("Running")
    operator.kill()
    until_job(training, "Complete")
    operator.start()
    status = training.until_true("Complete")
    assert (status["attempt"], status["restarts"]) == (1, 0)
    assert status["progress"]["epochText"] == "3/3"


def test_a_crash_while_it_was_away_is_counted_by_the_pod_that_stayed(
    operator: OperatorProcess, training: Training
) -> None:
    training.create(fail="1:15:45", step=0.1)
    training.until_true("Running")
    operator.kill()
    until_job(training, "Failed")
    operator.start()
    status = training.until_true("Complete")
    assert status["restarts"] == 1
    assert (status["lastFailure"]["reason"], status["lastFailure"]["evidence"]) == ("NonFinite", "PodReport")


def test_a_crash_whose_pod_is_gone_is_told_by_the_jobs_condition(operator: OperatorProcess, training: Training) -> None:
    training.create(fail="1:15:45", step=0.1)
    training.until_true("Running")
    operator.kill()
    until_job(training, "Failed")
    training.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
    operator.start()
    status = training.until_true("Complete")
    assert status["restarts"] == 1
    failure = status["lastFailure"]
    assert (failure["reason"], failure["exitCode"], failure["evidence"]) == ("NonFinite", 45, "JobCondition")
    assert failure["pod"].startswith("job-1-0-")


def test_a_drain_while_it_was_away_costs_nothing(
    operator: OperatorProcess, training: Training, cluster: LocalCluster
) -> None:
    training.create(training__epochs=20)
    training.until_step(1)
    pod = training.running_pod()["metadata"]["name"]
    operator.kill()
    cluster.evict(training.kubectl.namespace, pod)
    until_job(training, "Failed")
    operator.start()
    status = training.until_attempt(2)
    assert (status["restarts"], status["disruptions"]) == (0, 1)


def test_a_pause_whose_end_nobody_saw_is_told_by_the_next_attempt(
    operator: OperatorProcess, training: Training
) -> None:
    training.create(training__epochs=20, save=2)
    training.until_step(1)
    training.suspend()
    training.until_phase("Pausing")
    operator.kill()
    wait_for(lambda: not training.pods(), "the end of the pods")
    operator.start()
    status = training.until_true("Suspended")
    assert status["pause"]["resourcesReleased"] is True
    assert "evidence" not in status["pause"]
    assert "savedStep" not in status["pause"]
    training.resume()
    status = training.until(lambda status: "resume" in status, "the resumption")
    assert status["pause"]["evidence"] == "NextAttempt"
    assert status["pause"]["savedStep"] == status["resume"]["fromStep"] > 0
    assert status["pause"]["lostSteps"] == 0


def test_a_pause_asked_for_while_it_was_away(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=50)
    training.until_step(1)
    operator.kill()
    training.suspend()
    operator.start()
    status = training.until_true("Suspended")
    assert status["pause"]["evidence"] == "PodReport"
    assert status["pause"]["savedStep"] == status["progress"]["step"]


def test_a_retry_time_survives_it(operator: OperatorProcess, training: Training) -> None:
    training.create(fail="1:0:1", restart={"backoffSeconds": 25, "maxBackoffSeconds": 25})
    # Not the phase: it is Restarting already while the pods of the attempt that failed come to their end.
    status = training.until(lambda status: status.get("retryTime"), "a time for the next attempt")
    operator.kill()
    operator.start()
    assert training.status()["retryTime"] == status["retryTime"]
    assert training.status()["restarts"] == 1
    status = training.until_true("Complete")
    assert status["restarts"] == 1
    second = next(job for job in training.jobs() if job["metadata"]["name"] == "job-2")
    assert second["metadata"]["creationTimestamp"] >= training.status()["lastFailure"]["time"]


def test_a_stopped_operator_blocks_no_deletion(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=1000, nodes=2)
    training.until_true("Running")
    assert "finalizers" not in training.get()["metadata"]
    assert "annotations" not in {
        key for key in training.get()["metadata"].get("annotations", {}) if "kubectl" not in key
    }
    operator.kill()
    training.delete("job", f"--timeout={PATIENCE:.0f}s")
    wait_for(lambda: not training.jobs() and not training.pods(), "the end of everything")
    assert training.kubectl("get", "service", "job-nodes", "--ignore-not-found") == ""
    wait_for(lambda: not training.kubectl.list("persistentvolumeclaims"), "the end of the claim")


def test_a_new_job_of_the_same_name_waits_for_the_old_ones_pods(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=1000, save=4)
    training.until_step(1)
    old = training.running_pod()["metadata"]["uid"]
    training.delete("job", "--wait=true")
    training.create(training__epochs=1000)
    training.until(
        lambda status: any(c["reason"] == "StillTerminating" for c in status.get("conditions", [])), "StillTerminating"
    )
    assert {pod["metadata"]["uid"] for pod in training.pods()} == {old}
    status = training.until_true("Running")  # the garbage collector takes its time
    assert status["attempt"] == 1
    assert is_true(status, "Ready")
