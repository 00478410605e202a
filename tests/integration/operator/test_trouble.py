"""What cannot go on without a person is said within a minute, and goes on when the person has acted."""

import json
import os
import signal

import pytest

from integration.operator.operator_process import OperatorProcess
from integration.operator.training import STEPS, Object, Training, condition, is_true
from local_cluster.cluster import LocalCluster
from support.cluster import FAKE_TRAINER
from support.waiting import PATIENCE, wait_for


def test_a_missing_claim(operator: OperatorProcess, training: Training) -> None:
    training.create(step=0.01, checkpoint__volume={"claimName": "forgotten"})
    status = training.until_stalled("VolumeMissing")
    assert "forgotten" in condition(status, "Stalled")["message"]
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "forgotten"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    training.kubectl.apply(claim)
    status = training.until_true("Complete")
    assert status["restarts"] == 0


def test_a_pod_that_fits_nowhere(operator: OperatorProcess, training: Training) -> None:
    manifest = training.manifest()
    manifest["spec"]["pod"]["nodeSelector"] = {"colour": "blue"}
    training.kubectl.apply(manifest)
    status = training.until(
        lambda status: condition(status, "Reconciling").get("reason") == "Unschedulable", "Unschedulable"
    )
    assert "node" in condition(status, "Ready")["message"]
    training.patch({"suspend": True, "pod": {"nodeSelector": None}})
    training.until_true("Suspended")
    training.resume()
    training.until_true("Complete")


def test_an_image_that_is_not_there(operator: OperatorProcess, training: Training) -> None:
    manifest = training.manifest()
    manifest["spec"]["pod"]["image"] = "nowhere.example/none:1"
    training.kubectl.apply(manifest)
    status = training.until_stalled("ImagePullFailed")
    assert "nowhere.example/none:1" in condition(status, "Stalled")["message"]
    training.patch({"suspend": True, "pod": {"image": FAKE_TRAINER}})
    training.until_true("Suspended")
    training.resume()
    status = training.until_true("Complete")
    assert status["restarts"] == 0


@pytest.mark.parametrize("kind", ["jobs", "services", "persistentvolumeclaims"])
def test_a_name_that_is_taken(operator: OperatorProcess, training: Training, kind: str) -> None:
    strangers = {
        "jobs": ("batch/v1", "Job", "job-1", {"suspend": True, "template": TEMPLATE}),
        "services": ("v1", "Service", "job-nodes", {"ports": [{"port": 80}]}),
        "persistentvolumeclaims": ("v1", "PersistentVolumeClaim", "job-checkpoints", CLAIM),
    }
    version, kind_name, name, spec = strangers[kind]
    training.kubectl.apply({"apiVersion": version, "kind": kind_name, "metadata": {"name": name}, "spec": spec})
    before = training.kubectl.get(kind, name)["metadata"]
    training.create(step=0.01, nodes=2)
    status = training.until_stalled("NameTaken")
    assert name in condition(status, "Stalled")["message"]
    after = training.kubectl.get(kind, name)["metadata"]
    assert after["uid"] == before["uid"]
    assert "ownerReferences" not in after
    assert after.get("labels") == before.get("labels")
    training.kubectl("delete", kind, name)
    training.until_true("Complete")


TEMPLATE = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}
CLAIM = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}


def forbid(training: Training, resource: str) -> None:
    """A quota of none, in force."""
    spec = {"hard": {resource: 0}}
    training.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": spec})
    training.kubectl("wait", "--for=jsonpath={.status.hard}", "resourcequota/none", f"--timeout={PATIENCE:.0f}s")


def test_a_quota_that_refuses_the_job(operator: OperatorProcess, training: Training) -> None:
    forbid(training, "count/jobs.batch")
    training.create(step=0.01)
    status = training.until_stalled("Forbidden")
    assert "quota" in condition(status, "Stalled")["message"]
    training.kubectl("delete", "resourcequota", "none")
    training.until_true("Complete")


def test_a_config_map_that_is_not_there_and_a_quota_that_refuses_pods(
    operator: OperatorProcess, training: Training
) -> None:
    """Both may pass by themselves and are told after half a minute, in which both jobs wait here."""
    manifest = training.manifest("mapless")
    manifest["spec"]["pod"]["volumes"] = [{"name": "data", "configMap": {"name": "forgotten"}}]
    manifest["spec"]["pod"]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    training.kubectl.apply(manifest)
    wait_for(lambda: training.pods("mapless"), "the pod that wants a config map")
    forbid(training, "pods")
    training.create(step=0.01)

    def is_told(status: Object) -> bool:
        return bool(condition(status, "Ready").get("reason") == "ContainerNotCreated")

    status = training.until(is_told, "ContainerNotCreated", "mapless")
    assert "ConfigMap forgotten" in condition(status, "Ready")["message"]
    training.kubectl("create", "configmap", "forgotten")
    training.until_true("Complete", "mapless")
    status = training.until_stalled("Forbidden")
    assert "kubectl describe job job-1" in condition(status, "Stalled")["message"]


def test_a_lost_node_keeps_its_attempt(operator: OperatorProcess, training: Training, cluster: LocalCluster) -> None:
    training.create(training__epochs=1000)
    training.until_step(1)
    pod = training.running_pod()
    with cluster.frozen_node():
        status = training.until_stalled("NodeLost")
        message = condition(status, "Stalled")["message"]
        node = pod["spec"]["nodeName"]
        assert node in message
        assert f"kubectl delete node {node}" in message
        assert status["attempt"] == 1
        assert len(training.jobs()) == 1
    status = training.until(lambda status: is_true(status, "Running") and is_true(status, "Ready"), "the node's return")
    assert (status["attempt"], status["restarts"], status["disruptions"]) == (1, 0, 0)
    assert training.running_pod()["metadata"]["uid"] == pod["metadata"]["uid"]


def test_a_pause_on_a_lost_node_waits_for_it(
    operator: OperatorProcess, training: Training, cluster: LocalCluster
) -> None:
    training.create(training__epochs=1000)
    training.until_step(1)
    with cluster.frozen_node():
        training.until_stalled("NodeLost")
        training.suspend()
        training.until_phase("Pausing")
        assert not is_true(training.status(), "Suspended")
    status = training.until_true("Suspended")
    assert status["pause"]["lostSteps"] == 0


def test_a_save_that_takes_too_long_is_told(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=1000, save=60, deadlines={"saveSeconds": 1})
    training.until_step(12)
    training.suspend()
    status = training.until_true("Suspended")
    assert condition(status, "Suspended")["reason"] == "GraceExceeded"
    assert "savedStep" not in status["pause"]
    assert "lostSteps" not in status["pause"]
    done = status["progress"]["step"]
    training.resume()
    status = training.until(lambda status: "resume" in status, "the resumption")
    assert status["pause"]["evidence"] == "NextAttempt"
    assert status["pause"]["savedStep"] == status["resume"]["fromStep"]
    assert status["resume"]["fromStep"] == done // STEPS * STEPS
    assert status["pause"].get("lostSteps", 0) == done % STEPS


def test_a_start_that_takes_too_long(operator: OperatorProcess, training: Training) -> None:
    manifest = training.manifest(start=300, deadlines={"startSeconds": 2, "saveSeconds": 1}, restart={"maxRestarts": 0})
    training.kubectl.apply(manifest)
    status = training.until_true("Failed")
    assert status["lastFailure"]["reason"] == "StartDeadlineExceeded"
    assert condition(status, "Failed")["reason"] == "RestartBudgetSpent"


def test_a_training_that_takes_too_long(operator: OperatorProcess, training: Training) -> None:
    training.create(training__epochs=10_000, deadlines={"totalSeconds": 6})
    status = training.until_true("Failed")
    assert condition(status, "Failed")["reason"] == "DeadlineExceeded"
    assert status["checkpoint"]["step"] > 0
    assert not [pod for pod in training.pods() if pod["status"]["phase"] == "Running"]


def test_an_object_that_cannot_be_read_disturbs_nobody(
    operator: OperatorProcess, training: Training, cluster: LocalCluster
) -> None:
    """What CEL refuses can be there all the same, made when the rules were others."""
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trainingjobs.trainingjob.dev"
    original = cluster.admin.get(crd)
    loose = json.loads(json.dumps(original))
    schema = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema["properties"]["training"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema.pop("x-kubernetes-validations", None)
    cluster.admin.request("PUT", crd, loose)
    try:
        bad = training.manifest("bad")
        bad["spec"]["training"] = {"task": "alchemy"}
        wait_for(lambda: training.kubectl.run("apply", "-f", "-", stdin=json.dumps(bad)).returncode == 0, "a loose CRD")
        status = training.until_stalled("InvalidSpec", "bad")
        assert "training" in condition(status, "Stalled")["message"]
        training.create("good", step=0.01)
        training.until_true("Complete", "good")
        training.delete("bad")
    finally:
        current = cluster.admin.get(crd)
        cluster.admin.request("PUT", crd, {**current, "spec": original["spec"]})


def test_somebody_elses_object_is_left_alone(operator: OperatorProcess, training: Training) -> None:
    training.create("theirs", managedBy="kueue.x-k8s.io/multikueue")
    training.create("ours", step=0.01)
    training.until_true("Complete", "ours")
    assert training.status("theirs") == {"observedGeneration": -1}  # the CRD's own: nobody has looked at it


def test_a_field_that_is_over_disappears_from_status(operator: OperatorProcess, training: Training) -> None:
    training.create(fail="1:0:1", restart={"backoffSeconds": 5})
    training.until(lambda status: "retryTime" in status, "a time for the next attempt")
    assert "retryTime" not in training.until_true("Complete")


def test_the_api_server_hangs_and_comes_back(
    operator: OperatorProcess, training: Training, cluster: LocalCluster
) -> None:
    training.create(training__epochs=30)
    training.until_step(1)
    apiserver = cluster.running()["kube-apiserver"].pid
    os.kill(apiserver, signal.SIGSTOP)
    try:
        wait_for(lambda: operator.get("/metrics"), "the operator to answer while the API server hangs")
    finally:
        os.kill(apiserver, signal.SIGCONT)
    status = training.until_true("Complete")
    assert (status["attempt"], status["restarts"]) == (1, 0)
