"""How pods end, how the node and its pods survive each other, and what tests can do to them."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local_cluster import procfs
from local_cluster.cluster import LocalCluster
from support.kubectl import Kubectl
from support.pods import Object, Pods, python, shell
from support.waiting import wait_for

ENDS_ITSELF = (
    "import signal, sys, time\n"
    "def end(*_):\n"
    "    open('/dev/termination-log', 'w').write('saved')\n"
    "    sys.exit(43)\n"
    "signal.signal(signal.SIGTERM, end)\n"
    "print('up', flush=True)\n"
    "time.sleep(600)\n"
)
IGNORES = "trap '' TERM; echo up; while true; do sleep 0.1; done"


CONTAINER_END = "{.status.containerStatuses[0].state.terminated"
END = f"{{.status.phase}} {CONTAINER_END}.exitCode}} {CONTAINER_END}.message}}"
DISRUPTION = '{.status.conditions[?(@.type=="DisruptionTarget")].reason}'


@contextmanager
def watched(kubectl: Kubectl, pod: str, columns: str) -> Iterator[list[str]]:
    """What kubectl shows of a pod, every time that something changes; entered once it has shown the first."""
    output = f'jsonpath={{.metadata.name}}: {columns}{{"\\n"}}'
    command = [kubectl.program, "-n", kubectl.namespace, "get", "pod", pod, "--watch", "-o", output]
    env = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig)}
    seen: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        lines = process.stdout
        reader = threading.Thread(target=lambda: seen.extend(line.partition(": ")[2].strip() for line in lines))
        reader.start()
        try:
            wait_for(lambda: seen, "the watch")
            yield seen
        finally:
            process.terminate()
            reader.join(5)


def test_a_deleted_pod_tells_how_it_ended_before_it_is_gone(pods: Pods, kubectl: Kubectl) -> None:
    pods.create("polite", python(ENDS_ITSELF))
    pods.wait_for_log("polite", "up")
    with watched(kubectl, "polite", END) as seen:
        pods.delete("polite")
        pods.wait_until_gone("polite")
        wait_for(lambda: "Failed 43 saved" in seen, "the end in the status")


def test_a_pod_that_ignores_sigterm_is_killed_after_its_grace_period(pods: Pods, kubectl: Kubectl) -> None:
    pods.create("stubborn", shell(IGNORES), terminationGracePeriodSeconds=1)
    pods.wait_for_log("stubborn", "up")
    with watched(kubectl, "stubborn", END) as seen:
        pods.delete("stubborn")
        pods.wait_until_gone("stubborn")
        wait_for(lambda: "Failed 137" in seen, "the end in the status")


def test_a_second_deletion_may_shorten_the_grace_period(pods: Pods) -> None:
    pods.create("stubborn", shell(IGNORES), terminationGracePeriodSeconds=600)
    pods.wait_for_log("stubborn", "up")
    pids = pods.cluster.pod_processes(pods.namespace, "stubborn")
    pods.delete("stubborn")
    assert pods.exists("stubborn")
    pods.delete("stubborn", grace=1)
    pods.wait_until_gone("stubborn")
    assert not any(procfs.start_time(pid) for pid in pids)


def test_a_pod_that_is_deleted_by_force_is_killed(pods: Pods) -> None:
    pods.create("forced", shell(IGNORES), terminationGracePeriodSeconds=600)
    pods.wait_for_log("forced", "up")
    pids = pods.cluster.pod_processes(pods.namespace, "forced")
    pods.delete("forced", grace=0)
    wait_for(lambda: not any(procfs.start_time(pid) for pid in pids), "the end of its processes")


def test_a_pod_can_be_deleted_before_it_ever_started(pods: Pods) -> None:
    pods.create("stranger", {"name": "main", "image": "example.com/nothing:1"})
    wait_for(lambda: pods.state("stranger").get("waiting"), "its first status")
    pods.delete("stranger")
    pods.wait_until_gone("stranger")


def test_an_evicted_pod_is_marked_as_disrupted(pods: Pods, kubectl: Kubectl) -> None:
    pods.create("drained", python(ENDS_ITSELF))
    pods.wait_for_log("drained", "up")
    with watched(kubectl, "drained", DISRUPTION) as seen:
        pods.cluster.evict(pods.namespace, "drained")
        pods.wait_until_gone("drained")
        wait_for(lambda: "EvictionByEvictionAPI" in seen, "the condition")


def test_a_killed_tree_is_reported_as_killed(pods: Pods) -> None:
    pods.create("victim", shell("echo up; sleep 600"))
    pods.wait_for_log("victim", "up")
    pods.cluster.kill_pod_tree(pods.namespace, "victim")
    assert pods.wait_for_end("victim")["exitCode"] == 137


class TestNodeProgram:
    """The node program ends and comes back; no other test may run meanwhile, so all of it is in one class."""

    @pytest.fixture(autouse=True)
    def _node_runs_afterwards(self, cluster: LocalCluster) -> Iterator[None]:
        yield
        cluster.thaw_node()
        cluster.start_node()

    def test_a_pod_that_still_runs_is_adopted(self, cluster: LocalCluster, pods: Pods) -> None:
        pods.create("survivor", python(ENDS_ITSELF))
        pods.wait_for_log("survivor", "up")
        before = cluster.pod_processes(pods.namespace, "survivor")
        cluster.kill_node()
        assert all(procfs.start_time(pid) for pid in before)
        cluster.start_node()
        assert cluster.pod_processes(pods.namespace, "survivor") == before
        assert pods.status("survivor")["containerStatuses"][0]["restartCount"] == 0
        os.kill(before[0], signal.SIGTERM)
        end = pods.wait_for_end("survivor")
        assert (end["exitCode"], end["message"]) == (43, "saved")

    def test_an_end_while_the_node_was_away_is_reported_with_its_code(self, cluster: LocalCluster, pods: Pods) -> None:
        pods.create("orphan", python(ENDS_ITSELF))
        pods.wait_for_log("orphan", "up")
        pid = cluster.pod_processes(pods.namespace, "orphan")[0]
        cluster.kill_node()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not procfs.start_time(pid), "the end of the process")
        cluster.start_node()
        assert pods.wait_for_end("orphan")["exitCode"] == 43

    def test_a_deletion_while_the_node_was_away_is_carried_out(self, cluster: LocalCluster, pods: Pods) -> None:
        pods.create("orphan", shell("echo up; sleep 600"))
        pods.wait_for_log("orphan", "up")
        pids = cluster.pod_processes(pods.namespace, "orphan")
        cluster.kill_node()
        pods.delete("orphan", grace=0)
        cluster.start_node()
        wait_for(lambda: not any(procfs.start_time(pid) for pid in pids), "the end of its processes")

    def test_a_frozen_node_is_lost_and_its_pods_run_on(self, cluster: LocalCluster, pods: Pods) -> None:
        pods.create("far", shell("echo up; sleep 600"))
        pods.wait_for_log("far", "up")
        pids = cluster.pod_processes(pods.namespace, "far")
        with cluster.frozen_node():
            wait_for(lambda: _ready(cluster) == "Unknown", "the node to be lost")
            wait_for(lambda: "deletionTimestamp" in pods.get("far")["metadata"], "the pod's eviction")
            assert all(procfs.start_time(pid) for pid in pids)
        wait_for(lambda: _ready(cluster) == "True", "the node to come back")
        pods.wait_until_gone("far")
        wait_for(lambda: not _tainted(cluster), "the end of the taint")


def _ready(cluster: LocalCluster) -> str:
    node: Object = cluster.admin.get("/api/v1/nodes/local")
    return str(next(one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"))


def _tainted(cluster: LocalCluster) -> bool:
    return bool(cluster.admin.get("/api/v1/nodes/local")["spec"].get("taints"))


def test_a_held_pod_starts_when_it_is_released(cluster: LocalCluster, pods: Pods) -> None:
    hold = cluster.hold_pod(pods.namespace, "held-*")
    pods.create("held-1", shell("exit 0"))
    pods.create("free", shell("exit 0"))
    assert pods.wait_for_end("free")["exitCode"] == 0
    assert pods.state("held-1")["waiting"]["reason"] == "ContainerCreating"
    hold.release()
    assert pods.wait_for_end("held-1")["exitCode"] == 0
