"""A user's cluster is stopped, comes back, is killed, gets other settings, and goes without a trace."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cluster import procfs
from local_cluster.cluster import COMPONENTS, LocalCluster
from local_cluster.rest import RestError
from local_cluster.settings import Settings, Timing
from support.pods import Pods, python, shell
from support.waiting import PATIENCE, wait_for

ENDS_ITSELF = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(43)); "
    "print('up', flush=True); time.sleep(600)"
)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalCluster]:
    """A cluster for one test, because it is stopped there."""
    cluster = LocalCluster(tmp_path / "own")
    cluster.start()
    yield cluster
    cluster.stop()


def test_a_stopped_cluster_goes_on_where_it_was(own: LocalCluster) -> None:
    pods = Pods(own, "default")
    pods.create("trained", python(ENDS_ITSELF))
    pods.wait_for_log("trained", "up")
    pids = [*own.pod_processes("default", "trained"), *(one.pid for one in own.running().values())]
    kubeconfig = own.kubeconfig.read_text()

    own.stop(grace=20)
    assert own.running() == {}
    assert not any(procfs.start_time(pid) for pid in pids)

    own.start()
    assert own.kubeconfig.read_text() == kubeconfig
    assert pods.wait_for_end("trained")["exitCode"] == 43
    conditions = {one["type"]: one.get("reason") for one in pods.status("trained")["conditions"]}
    assert conditions["DisruptionTarget"] == "TerminationByKubelet"
    assert pods.log("trained") == "up\n"

    own.purge()
    assert not own.directory.path.exists()


def test_a_cluster_whose_processes_were_killed_starts_again(own: LocalCluster) -> None:
    pods = Pods(own, "default")
    pods.create("survivor", shell("echo up; sleep 600"))
    pods.wait_for_log("survivor", "up")
    for process in own.running().values():
        process.signal(signal.SIGKILL)
        process.wait(PATIENCE)
    own.start()
    assert set(own.running()) == set(COMPONENTS)
    wait_for(lambda: own.pod_processes("default", "survivor"), "the pod to be adopted")
    assert pods.status("survivor")["containerStatuses"][0]["restartCount"] == 0


def test_new_settings_reach_the_node_and_spare_the_pods(own: LocalCluster) -> None:
    pods = Pods(own, "default")
    pods.create("before", shell("echo up; sleep 600"))
    pods.wait_for_log("before", "up")
    pids = own.pod_processes("default", "before")
    LocalCluster(own.directory.path, Settings(gpus=3, images={"greeter": "echo hello"})).start()
    node = own.admin.get("/api/v1/nodes/local")
    assert node["status"]["capacity"]["nvidia.com/gpu"] == "3"
    pods.create("after", {"name": "main", "image": "greeter:1"})
    pods.wait_for_end("after")
    assert pods.log("after") == "hello\n"
    assert own.pod_processes("default", "before") == pids
    with pytest.raises(RuntimeError, match="another timing"):
        LocalCluster(own.directory.path, Settings(timing=Timing(lost_after=9))).start()


def test_there_is_nothing_to_stop_where_no_cluster_was(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "nothing")
    cluster.stop()
    cluster.purge()
    assert not (tmp_path / "nothing").exists()


def test_two_clusters_know_nothing_of_each_other(own: LocalCluster, cluster: LocalCluster) -> None:
    own.admin.post("/api/v1/namespaces", {"metadata": {"name": "mine"}})
    with pytest.raises(RestError, match="not found"):
        cluster.admin.get("/api/v1/namespaces/mine")
