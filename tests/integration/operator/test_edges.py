"""What other controllers and people do to Jobs and pods of ours, on a real control plane."""

from typing import Any

from integration.operator.admission import admission
from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Object, Training, condition, is_true
from support.waiting import wait_for

PATCH = "/spec/containers/-"
PROXY = """Object.spec.containers{
  name: "mesh-proxy", image: "local/shell", command: ["/bin/sh", "-c", "sleep 100000"],
  securityContext: Object.spec.containers.securityContext{
    allowPrivilegeEscalation: false,
    capabilities: Object.spec.containers.securityContext.capabilities{drop: ["ALL"]}}}"""


HOLD = 'JSONPatch{op: "add", path: "/spec/suspend", value: true}'
"""As Kueue's webhook does to every Job."""
INJECT = f'JSONPatch{{op: "add", path: "{PATCH}", value: {PROXY}}}'


def let_run(training: Training, runs: bool) -> None:
    training.kubectl.patch("jobs", "job-1", {"spec": {"suspend": not runs}})


def admit(training: Training) -> None:
    """Lets every Job run that is held, as a queue with room does."""
    for job in training.jobs():
        given_up = any(each["type"] in ("Failed", "FailureTarget") for each in job["status"].get("conditions", []))
        if job["spec"].get("suspend") and not given_up:
            training.kubectl.patch("jobs", job["metadata"]["name"], {"spec": {"suspend": False}})


def until_queued(training: Training, reason: str) -> Object:
    def is_so(status: Object) -> bool:
        return status.get("phase") == "Queued" and condition(status, "Reconciling").get("reason") == reason

    return training.until(is_so, f"Queued, {reason}")


def test_a_queue_decides_when_a_job_runs(operator: OperatorProcess, training: Training) -> None:
    with admission(training, ("batch", "jobs"), HOLD):
        training.create(step=0.05)
        until_queued(training, "WaitingForQueue")
        let_run(training, runs=True)
        training.until_step(5)
        let_run(training, runs=False)  # a job of higher priority has come
        status = until_queued(training, "PausedByQueue")
        wait_for(lambda: not training.pods(), "the end of the pods")
        saved = training.until(lambda status: "checkpoint" in status, "what was saved")["checkpoint"]["step"]
        status = training.until(lambda status: admit(training) or status.get("completionTime"), "the end")
    assert (status["phase"], status["restarts"]) == ("Succeeded", 0)
    assert status["resume"]["fromStep"] >= saved
    # The Job controller gives a Job up that it suspends, if it looks while a pod has ended and is not gone yet.
    assert (status["attempt"], status["disruptions"]) in ((1, 0), (2, 1))


def test_a_pause_of_what_a_queue_has_let_run(operator: OperatorProcess, training: Training) -> None:
    training.create(step=0.05, queue={"name": "team-a"})
    training.until_step(5)
    training.suspend()
    status = training.until_true("Suspended")
    assert (status["pause"]["lostSteps"], status["pause"]["evidence"]) == (0, "PodReport")
    assert training.jobs() == []
    training.resume()
    status = training.until_end()
    assert (status["phase"], status["attempt"]) == ("Succeeded", 2)


def test_pods_whose_job_was_deleted_without_them(operator: OperatorProcess, training: Training) -> None:
    training.create(step=0.1, training__epochs=20)
    training.until_step(3)
    training.kubectl("delete", "job", "job-1", "--cascade=orphan")
    status = training.until(lambda status: "ran on when" in condition(status, "Ready").get("message", ""), "the news")
    assert len(training.pods()) == 1
    status = training.until_end()
    assert (status["phase"], status["attempt"], status["disruptions"]) == ("Succeeded", 1, 0)


def test_a_container_that_was_injected(operator: OperatorProcess, training: Training) -> None:
    with admission(training, ("", "pods"), INJECT):
        training.create(step=0.01)
        wait_for(lambda: _containers(training) == ["mesh-proxy", "trainer"], "the injected container")
        status = training.until_end()
    assert (status["phase"], status["attempt"], status["restarts"]) == ("Succeeded", 1, 0)


def _containers(training: Training) -> list[str]:
    return sorted(container["name"] for pod in training.pods() for container in pod["spec"]["containers"])


def test_a_job_made_again_while_its_claim_still_goes(operator: OperatorProcess, training: Training) -> None:
    """The finalizer is what keeps a claim in a real cluster, as long as a pod uses it."""
    claim: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "job-checkpoints", "finalizers": ["example.com/in-use"]},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    training.kubectl.apply(claim)
    training.kubectl("delete", "pvc", "job-checkpoints", "--wait=false")
    training.create(step=0.01)
    status = training.until(
        lambda status: condition(status, "Reconciling").get("reason") == "StillTerminating", "that it waits"
    )
    assert not is_true(status, "Stalled")
    training.kubectl.patch("persistentvolumeclaims", "job-checkpoints", {"metadata": {"finalizers": None}})
    assert training.until_end()["phase"] == "Succeeded"
