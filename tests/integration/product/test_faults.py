"""What goes wrong around a training: it restarts, waits or goes on, and status tells the truth about it."""

from local_cluster.cluster import LocalCluster
from quickstart.product import OperatorProcess
from support.product import Training, Trainings
from support.waiting import wait_for
from trainingjob_api.contract import ExitCode
from trainingjob_api.status import ConditionType, Phase, Reason, TrainingJobStatus

CHILDREN = ("pods", "jobs", "services", "persistentvolumeclaims")


def uids(job: Training) -> set[str]:
    return {pod["metadata"]["uid"] for pod in job.pods()}


def runs_attempt(job: Training, attempt: int) -> TrainingJobStatus:
    return job.wait(
        lambda status: status.attempt == attempt and status.is_true(ConditionType.RUNNING), f"attempt {attempt}"
    )


def first_failure(job: Training) -> TrainingJobStatus:
    return job.wait(lambda status: status.last_failure, "the failure in status")


def test_a_killed_operator_is_not_noticed_by_the_job(operator: OperatorProcess, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    step, before = job.wait_for_step(20).step, uids(job)
    operator.kill()
    try:
        job.wait_for_step(step + 100)
    finally:
        operator.start()
    job.wait(lambda status: status.progress and status.progress.step > step, "status to catch up")
    assert uids(job) == before
    assert job.status.attempt == 1


def test_a_killed_pod_costs_one_restart_and_is_named(cluster: LocalCluster, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    saved = job.wait_for_progress(lambda progress: progress.checkpoint is not None, "a checkpoint").checkpoint
    victim = next(pod["metadata"]["name"] for pod in job.pods() if pod["metadata"]["name"].startswith("job-1-1-"))
    cluster.kill_pod_tree(trainings.kubectl.namespace, victim)
    failure = first_failure(job).last_failure
    assert failure is not None
    assert (failure.reason, failure.exit_code, failure.pod) == (Reason.KILLED, 137, victim)
    running = runs_attempt(job, 2)
    assert (running.restarts, running.disruptions) == (1, 0)
    resumed = job.wait(lambda status: status.resume, "where it went on from").resume
    assert resumed is not None
    assert saved is not None
    assert resumed.from_step >= saved.step


def test_survivors_leave_with_peer_lost(cluster: LocalCluster, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2, restart={"maxRestarts": 0})
    job.wait_for_step(20)
    names = sorted(pod["metadata"]["name"] for pod in job.pods())
    cluster.kill_pod_tree(trainings.kubectl.namespace, names[1])
    codes: dict[str, int] = {}

    def survivor() -> int | None:
        for pod in trainings.kubectl.list("pods"):
            for container in pod["status"].get("containerStatuses", ()):
                if ended := container["state"].get("terminated"):
                    codes[pod["metadata"]["name"]] = ended["exitCode"]
        return codes.get(names[0]) or job.status.is_finished

    wait_for(survivor, "the end of the survivor")
    end = job.wait_for_end()
    assert end.last_failure is not None
    assert end.last_failure.pod == names[1]
    assert codes.get(names[0], ExitCode.PEER_LOST) == ExitCode.PEER_LOST
    failed = end.condition(ConditionType.FAILED)
    assert failed is not None
    assert failed.reason == Reason.RESTART_BUDGET_SPENT


def test_both_killed_is_one_restart(cluster: LocalCluster, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    job.wait_for_step(20)
    for pod in job.pods():
        cluster.kill_pod_tree(trainings.kubectl.namespace, pod["metadata"]["name"])
    failure = first_failure(job).last_failure
    assert failure is not None
    assert (failure.reason, failure.exit_code) == (Reason.KILLED, 137)
    assert runs_attempt(job, 2).restarts == 1


def test_a_drain_costs_no_restart(cluster: LocalCluster, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    reached = job.wait_for_step(20).step
    cluster.evict(trainings.kubectl.namespace, job.pods()[0]["metadata"]["name"])
    status = runs_attempt(job, 2)
    assert (status.restarts, status.disruptions) == (0, 1)
    resumed = job.wait(lambda status: status.resume, "where it went on from").resume
    assert resumed is not None
    assert resumed.from_step >= reached


def test_a_lost_node_is_waited_for(cluster: LocalCluster, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    step, before = job.wait_for_step(20).step, uids(job)
    with cluster.frozen_node():
        stalled = job.wait(
            lambda status: (c := status.condition(ConditionType.STALLED)) and c.reason == Reason.NODE_LOST, "NodeLost"
        )
        assert stalled.attempt == 1
    job.wait(lambda status: not status.is_true(ConditionType.STALLED), "the node to be back")
    job.wait_for_step(step + 1)
    after = job.status
    assert uids(job) == before
    assert (after.attempt, after.restarts, after.disruptions) == (1, 0, 0)


def test_a_pause_while_the_operator_is_dead_is_proven_by_the_next_attempt(
    cluster: LocalCluster, operator: OperatorProcess, trainings: Trainings
) -> None:
    job = trainings.submit()
    reached = job.wait_for_step(20).step
    operator.kill()
    try:
        # Nobody but the Job controller is there to act: suspend the Job as the operator would have.
        trainings.kubectl.patch("jobs", "job-1", {"spec": {"suspend": True}})
        job.suspend()
        wait_for(lambda: not job.pods(), "the pods to be gone")
    finally:
        operator.start()
    paused = job.wait(lambda status: status.is_true(ConditionType.SUSPENDED), "Suspended")
    assert paused.pause is not None
    assert paused.pause.evidence is None
    job.suspend(False)
    told = job.wait(lambda status: status.pause and status.pause.evidence, "evidence").pause
    assert told is not None
    assert (told.evidence, told.lost_steps) == ("NextAttempt", 0)
    assert told.saved_step is not None
    assert told.saved_step >= reached


def test_a_crash_while_the_operator_is_dead_is_told_by_the_job(
    cluster: LocalCluster, operator: OperatorProcess, trainings: Trainings
) -> None:
    job = trainings.submit(nodes=2)
    job.wait_for_step(20)
    operator.kill()
    try:
        victim = job.pods()[0]["metadata"]["name"]
        cluster.kill_pod_tree(trainings.kubectl.namespace, victim)
        wait_for(lambda: not job.pods(), "the pods to be gone")
    finally:
        operator.start()
    failure = first_failure(job).last_failure
    assert failure is not None
    assert (failure.reason, failure.exit_code, failure.pod) == (Reason.KILLED, 137, victim)
    assert failure.evidence in ("PodReport", "JobCondition")
    assert runs_attempt(job, 2).restarts == 1


def test_a_drain_while_the_operator_is_dead_costs_no_restart(
    cluster: LocalCluster, operator: OperatorProcess, trainings: Trainings
) -> None:
    job = trainings.submit(nodes=2)
    reached = job.wait_for_step(20).step
    operator.kill()
    try:
        cluster.evict(trainings.kubectl.namespace, job.pods()[0]["metadata"]["name"])
        wait_for(lambda: not job.pods(), "the pods to be gone")
    finally:
        operator.start()
    status = runs_attempt(job, 2)
    assert (status.restarts, status.disruptions) == (0, 1)
    resumed = job.wait(lambda status: status.resume, "where it went on from").resume
    assert resumed is not None
    assert resumed.from_step >= reached


def test_deletion_needs_no_operator(operator: OperatorProcess, trainings: Trainings) -> None:
    job = trainings.submit(nodes=2)
    job.wait_for_step(0)
    operator.stop()
    try:
        job.delete()
        wait_for(lambda: not any(map(trainings.kubectl.list, CHILDREN)), "no child")
    finally:
        operator.start()
    assert trainings.kubectl.run("get", "trainingjob", job.name).returncode != 0


def test_phases_are_seen_by_people(trainings: Trainings) -> None:
    job = trainings.submit(training__epochs=100, training__data__test={"path": "/data/test.csv"})
    end = job.wait_for_end()
    assert end.phase == Phase.SUCCEEDED
    assert end.metrics is not None
    assert end.metrics.test is not None
    assert (end.metrics.test.accuracy or 0) > 0.8
    assert end.progress is not None
    assert end.progress.epoch_text == "100/100"
    columns = trainings.kubectl("get", "tj", job.name)
    assert "Succeeded" in columns
    assert "100/100" in columns
