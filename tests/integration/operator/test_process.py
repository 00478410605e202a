"""The operator as a process: its rights, its health, an API server that goes away."""

import json
import os
import signal
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training
from local_cluster.cluster import LocalCluster
from local_cluster.ports import reserved_ports
from support.cluster import kubectl_of
from support.waiting import wait_for

ROOT = Path(__file__).parents[3]


def test_health_and_metrics_are_served(operator: OperatorProcess, training: Training) -> None:
    training.create(step=0.01)
    training.until_end()
    assert json.loads(operator.get("/healthz") or "{}") == {"ok": True, "problems": []}
    metrics = operator.get("/metrics") or ""
    series = f'training_name="job",training_namespace="{training.kubectl.namespace}"'
    (phase,) = [line for line in metrics.splitlines() if "_job_phase{" in line and series in line]
    assert 'phase="Succeeded"' in phase
    assert 'trainingjob_operator_api_requests_total{code="201",resource="jobs",verb="create"}' in metrics
    training.delete()
    wait_for(lambda: series not in (operator.get("/metrics") or series), "the end of the job's series")


def test_metrics_are_for_those_who_may_read_them(
    operator: OperatorProcess, training: Training, installed: LocalCluster, tmp_path: Path
) -> None:
    operator.stop()
    process = OperatorProcess(operator.kubeconfig, tmp_path / "log")
    with reserved_ports(1) as (port,):
        process.start(METRICS_AUTH="true", METRICS_PORT=str(port))
    kubectl, namespace = training.kubectl, training.kubectl.namespace
    for name in ("prometheus", "tenant"):
        kubectl("create", "serviceaccount", name)
    reader = ["--clusterrole=trainingjob-metrics-reader", f"--serviceaccount={namespace}:prometheus"]
    kubectl("create", "clusterrolebinding", namespace, *reader)

    def get(token: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        asked = urllib.request.Request(f"https://127.0.0.1:{port}/metrics", headers=headers)
        try:
            with urllib.request.urlopen(asked, context=ssl._create_unverified_context()) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code, ""

    try:
        wait_for(lambda: get(kubectl("create", "token", "prometheus").strip())[0] == 200, "the reader's right")
        code, text = get(kubectl("create", "token", "prometheus").strip())
        assert (code, "trainingjob_operator_jobs" in text) == (200, True)
        assert get(kubectl("create", "token", "tenant").strip())[0] == 403
        assert get("forged")[0] == get("")[0] == 401
        assert process.get("/metrics") is None
    finally:
        kubectl("delete", "clusterrolebinding", namespace)
        process.stop()
        operator.start()


def test_sigterm_ends_it_in_good_order(operator: OperatorProcess) -> None:
    assert operator.stop() == 0
    operator.start()


def test_a_setting_that_is_wrong_is_named(installed: LocalCluster, tmp_path: Path) -> None:
    process = OperatorProcess(installed.kubeconfig, tmp_path / "log")
    with pytest.raises(AssertionError, match="TRAININGJOB_OPERATOR_LOG_FORMAT must be one of text, json"):
        process.start(LOG_FORMAT="xml")
    process.stop()


def test_its_rights_are_no_more_than_it_uses(installed: LocalCluster, operator: OperatorProcess) -> None:
    admin = kubectl_of(installed.kubeconfig, "default")
    operators = "system:serviceaccount:trainingjob-system:trainingjob-operator"
    forbidden = ("get", "secrets"), ("list", "secrets"), ("get", "configmaps"), ("create", "pods"), ("update", "leases")
    for verb, resource in forbidden:
        assert admin.run("auth", "can-i", verb, resource, "--as", operators).stdout.strip() == "no"
    for verb in ("update", "patch", "delete", "create"):
        assert (
            admin.run("auth", "can-i", verb, "trainingjobs.trainingjob.dev", "--as", operators).stdout.strip() == "no"
        )
    role = json.loads(admin("get", "clusterrole", "trainingjob-operator", "-o", "json"))
    assert "*" not in json.dumps(role["rules"])
    assert "Forbidden" not in operator.log.read_text()


def test_users_of_a_namespace_may_use_training_jobs(installed: LocalCluster, training: Training) -> None:
    namespace, admin = training.kubectl.namespace, training.kubectl
    admin("create", "rolebinding", "edit", "--clusterrole=edit", "--user=ann")
    admin("create", "rolebinding", "view", "--clusterrole=view", "--user=bob")

    def may(user: str, verb: str) -> bool:
        return admin.run("auth", "can-i", verb, "trainingjobs.trainingjob.dev", "--as", user).stdout.strip() == "yes"

    wait_for(lambda: may("ann", "create") and may("bob", "get"), f"the aggregated roles in {namespace}")
    assert may("ann", "patch")
    assert not may("bob", "patch")


def test_the_namespaced_variant_serves_its_namespace_only(
    operator: OperatorProcess, training: Training, installed: LocalCluster, tmp_path: Path
) -> None:
    operator.stop()
    namespace = training.kubectl.namespace
    rendered = training.kubectl("kustomize", str(ROOT / "deploy/overlays/namespaced"))
    objects = [one for one in yaml.safe_load_all(rendered) if one["kind"] != "Deployment"]
    kinds = {"ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget"}
    assert {one["kind"] for one in objects} == kinds  # nothing that only a cluster's administrator may make
    text = yaml.safe_dump_all(objects).replace("namespace: training\n", f"namespace: {namespace}\n")
    training.kubectl("apply", "-f", "-", stdin=text)
    kubeconfig = installed.service_account_kubeconfig(namespace, "trainingjob-operator")
    restricted = OperatorProcess(kubeconfig, tmp_path / "log")
    restricted.start(NAMESPACES=namespace, LEASE=f"{namespace}/trainingjob-operator")
    try:
        training.create(nodes=2, training__epochs=30)  # not over before the node is frozen
        training.until_step(1)
        with installed.frozen_node():
            training.until_stalled("NodeLost")
        training.until_true("Complete")
        assert "orbidden" not in restricted.log.read_text()
    finally:
        restricted.stop()
        operator.start()


def test_the_api_server_dies_and_comes_back(
    operator: OperatorProcess, training: Training, cluster: LocalCluster
) -> None:
    training.create(training__epochs=40)
    training.until_step(1)
    os.kill(cluster.running()["kube-apiserver"].pid, signal.SIGKILL)
    wait_for(lambda: "kube-apiserver" not in cluster.running(), "the end of the API server")
    assert operator.get("/healthz") is not None
    cluster.start()
    status = training.until_true("Complete")
    assert (status["attempt"], status["restarts"]) == (1, 0)
    assert operator.is_running


def test_many_at_once(operator: OperatorProcess, training: Training) -> None:
    """Created, paused, and gone again; what it costs is bounded."""
    names = [f"job-{number:03}" for number in range(200)]
    manifests = [training.manifest(name, suspend=True) for name in names]
    before = cpu_seconds(operator)
    training.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))

    def all_paused() -> bool:
        jobs = training.kubectl.list("trainingjobs")
        return len(jobs) == 200 and all(job.get("status", {}).get("phase") == "Paused" for job in jobs)

    wait_for(all_paused, "200 paused jobs")
    assert cpu_seconds(operator) - before < 10
    assert resident_megabytes(operator) < 200


def cpu_seconds(operator: OperatorProcess) -> float:
    fields = Path(f"/proc/{operator.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(operator: OperatorProcess) -> float:
    lines = Path(f"/proc/{operator.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
