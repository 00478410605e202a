"""From apply to Succeeded, by way of pause, resume, crash and drain, on a real control plane."""

from integration.operator.conftest import Writes
from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training, condition, is_true
from local_cluster.cluster import LocalCluster
from support.waiting import wait_for

HISTORY = "create traininghistories"


def test_a_job_runs_to_its_end(operator: OperatorProcess, training: Training) -> None:
    training.create(step=0.02)
    status = training.until_true("Complete")
    assert status["phase"] == "Succeeded"
    assert status["attempt"] == 1
    assert status["restarts"] == 0
    assert status["progress"]["epochText"] == "3/3"
    assert status["metrics"]["latest"]["trainLoss"] == 0.25
    assert status["checkpoint"]["step"] == 30
    assert condition(status, "Complete")["reason"] == "Completed"
    assert is_true(status, "Ready")
    told = ["AttemptStarted", "CheckpointSaved", "Completed"]
    wait_for(lambda: training.events() == told, f"the events {told}")


def test_what_a_short_job_costs(operator: OperatorProcess, training: Training, writes: Writes) -> None:
    """It is over before its progress is asked for: what is written is begun, perhaps running, complete."""
    training.create(step=0.001, training__epochs=1)
    training.until_true("Complete")
    made = writes()
    status = "update trainingjobs/status"
    assert [write for write in made if write != status] == ["create persistentvolumeclaims", "create jobs", HISTORY]
    assert made.count(status) <= 3


def test_what_a_pause_and_a_resume_cost(operator: OperatorProcess, training: Training, writes: Writes) -> None:
    """In the middle of an epoch: no progress is due."""
    training.create(step=0.5, training__epochs=100)
    training.until(lambda status: "progress" in status, "the first progress")
    before = len(writes())
    training.suspend()
    training.until_true("Suspended")
    made = [write for write in writes()[before:] if write != HISTORY]
    assert made == ["patch jobs", "update trainingjobs/status", "update trainingjobs/status"]
    before = len(writes())
    training.resume()
    training.until(lambda status: "resume" in status, "what it goes on from")
    made = writes()[before:]
    assert [write for write in made if write != "update trainingjobs/status"] == ["create jobs", "delete jobs"]
    assert len(made) <= 4


def test_several_nodes_need_one_service_more(operator: OperatorProcess, training: Training, writes: Writes) -> None:
    training.create(step=0.02, nodes=3)
    status = training.until_true("Complete")
    assert status["service"] == "job-nodes"
    assert writes().count("create services") == 1
    assert len(training.pods()) == 3


def test_pause_saves_and_frees_the_pods_and_resume_goes_on(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=100)
    training.until_step(1)
    training.suspend()
    status = training.until_true("Suspended")
    assert training.pods() == []
    assert status["phase"] == "Paused"
    assert is_true(status, "Ready")
    assert not is_true(status, "Reconciling")
    pause = status["pause"]
    assert pause["evidence"] == "PodReport"
    assert pause["savedStep"] == status["progress"]["step"] > 0
    assert pause["lostSteps"] == 0
    assert pause["resourcesReleased"] is True

    training.resume()
    status = training.until(lambda status: "resume" in status, "the resumption")
    assert status["attempt"] == 2
    assert status["resume"] == {"fromStep": pause["savedStep"], "fromAttempt": 1, "exactness": "Bitwise"}
    assert status["restarts"] == 0
    wait_for(lambda: "Resumed" in training.events(), "the event")
    jobs = {job["metadata"]["name"]: job["spec"]["suspend"] for job in training.jobs()}
    assert jobs["job-2"] is False
    # A suspended Job is never woken again.
    assert jobs.get("job-1", True) is True


def test_a_job_that_is_created_suspended_makes_nothing(operator: OperatorProcess, training: Training) -> None:
    training.create(suspend=True)
    status = training.until_true("Suspended")
    assert status["attempt"] == 0
    assert training.jobs() == []
    training.resume()
    training.until_true("Complete")


def test_a_crash_is_restarted_from_the_last_checkpoint(operator: OperatorProcess, training: Training) -> None:
    training.create(fail="1:15:1")
    status = training.until_true("Complete")
    assert (status["attempt"], status["restarts"], status["disruptions"]) == (2, 1, 0)
    failure = status["lastFailure"]
    assert (failure["attempt"], failure["reason"], failure["exitCode"]) == (1, "Crash", 1)
    assert failure["evidence"] == "PodReport"
    assert failure["message"] == "asked to fail with 1"
    assert failure["pod"].startswith("job-1-0-")
    assert status["resume"]["fromStep"] == 10
    told = {"AttemptFailed", "Restarting", "Completed"}
    wait_for(lambda: told <= set(training.events()), f"the events {told}")


def test_the_budget_is_spent_and_then_it_has_failed(operator: OperatorProcess, training: Training) -> None:
    training.create(fail="0:15:45", restart={"maxRestarts": 1, "backoffSeconds": 1})
    status = training.until_true("Failed")
    assert (status["attempt"], status["restarts"]) == (2, 1)
    assert condition(status, "Failed")["reason"] == "RestartBudgetSpent"
    assert status["lastFailure"]["reason"] == "NonFinite"
    assert is_true(status, "Stalled")


def test_an_error_of_the_user_fails_at_once(operator: OperatorProcess, training: Training) -> None:
    training.create(fail="1:0:44")
    status = training.until_end()
    assert (status["attempt"], status["restarts"]) == (1, 0)
    assert condition(status, "Failed")["reason"] == "UserError"
    assert condition(status, "Failed")["message"] == "asked to fail with 44"


def test_a_drain_costs_no_restart(operator: OperatorProcess, training: Training, cluster: LocalCluster) -> None:
    training.create(training__epochs=30)
    training.until_step(1)
    pod = training.running_pod()
    cluster.evict(training.kubectl.namespace, pod["metadata"]["name"])
    status = training.until_attempt(2)
    assert (status["restarts"], status["disruptions"]) == (0, 1)
    assert status["lastFailure"]["reason"] == "Disrupted"
    status = training.until(lambda status: "resume" in status, "the resumption")
    assert status["resume"]["fromStep"] > 0


def test_a_killed_pod_spends_a_restart(operator: OperatorProcess, training: Training, cluster: LocalCluster) -> None:
    training.create(training__epochs=30)
    pod = training.running_pod()
    cluster.kill_pod_tree(training.kubectl.namespace, pod["metadata"]["name"])
    status = training.until_attempt(2)
    assert (status["restarts"], status["disruptions"]) == (1, 0)
    assert status["lastFailure"]["reason"] == "Killed"
    assert status["lastFailure"]["exitCode"] == 137


def test_a_deleted_pod_saves_and_costs_no_restart(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=30)
    training.until_step(1)
    training.kubectl("delete", "pod", training.running_pod()["metadata"]["name"], "--wait=false")
    status = training.until_attempt(2)
    assert (status["restarts"], status["disruptions"]) == (0, 1)


def test_a_deleted_job_is_replaced_by_the_next_attempt(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=30)
    training.until_step(1)
    training.kubectl("delete", "job", "job-1", "--wait=false")
    status = training.until_attempt(2)
    assert status["restarts"] == 0


def test_more_epochs_take_effect_with_an_attempt_that_goes_on(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=50)
    training.until_step(1)
    training.patch({"training": {"epochs": 60}})
    status = training.until_attempt(2)
    assert status["restarts"] == 0
    assert status["disruptions"] == 0
    wait_for(lambda: training.status()["progress"]["epochs"] == 60, "the new number of epochs")


def test_twenty_quick_toggles_end_complete(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=5)
    for _ in range(20):
        training.suspend()
        training.resume()
    status = training.until_true("Complete")
    assert status["restarts"] == 0
    assert status["progress"]["epochText"] == "5/5"
    assert sum(pod["status"]["phase"] == "Running" for pod in training.pods()) == 0


def test_what_is_finished_goes_after_its_ttl_and_never_comes_back(
    operator: OperatorProcess, training: Training
) -> None:
    training.create(step=0.01, nodes=2, ttlSecondsAfterFinished=1)
    training.until_true("Complete")
    wait_for(lambda: not training.jobs() and not training.pods(), "the end of Jobs and pods")
    wait_for(lambda: "service" not in training.status(), "the Service to be out of status")
    training.patch({"ttlSecondsAfterFinished": 2})
    training.until(lambda status: status["observedGeneration"] == 2, "the edit to be seen")
    assert training.jobs() == []
    assert is_true(training.status(), "Complete")
