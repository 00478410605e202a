"""What pods share: volumes, names, logs; and the cluster around them."""

import json
import subprocess

import pytest

from local_cluster.cluster import COMPONENTS, LocalCluster
from local_cluster.rest import RestError
from support.kubectl import Kubectl
from support.pods import Object, Pods, python, shell
from support.waiting import wait_for


def _claim(pods: Pods, name: str) -> None:
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    pods.post("persistentvolumeclaims", {"metadata": {"name": name}, "spec": spec})


def test_a_claim_keeps_what_pods_write_into_their_folder_of_it(cluster: LocalCluster, pods: Pods) -> None:
    _claim(pods, "data")
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    mounts = [{"name": "data", "mountPath": "/out", "subPath": "jobs/one"}]
    pods.create("writer", shell("echo 7 > /out/step", volumeMounts=mounts), volumes=volumes)
    assert pods.wait_for_end("writer")["exitCode"] == 0
    pods.create("reader", shell("cat /out/step", volumeMounts=mounts), volumes=volumes)
    pods.wait_for_end("reader")
    assert pods.log("reader") == "7\n"
    folder = cluster.claim_directory(pods.namespace, "data")
    assert (folder / "jobs" / "one" / "step").read_text() == "7\n"


def test_a_deleted_claim_takes_its_directory_with_it(cluster: LocalCluster, pods: Pods) -> None:
    _claim(pods, "data")
    folder = cluster.claim_directory(pods.namespace, "data")
    cluster.admin.request("DELETE", f"/api/v1/namespaces/{pods.namespace}/persistentvolumeclaims/data")
    wait_for(lambda: not folder.exists(), "the end of the directory")


def test_a_pod_without_its_claim_is_not_scheduled(pods: Pods) -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "absent"}}]
    pods.create("waiting", shell("exit 0"), volumes=volumes)

    def message() -> str:
        return str([one.get("message") for one in pods.status("waiting").get("conditions", ())])

    wait_for(lambda: "absent" in message(), "the scheduler to say what is missing")


def test_an_empty_dir_is_shared_by_the_containers_of_a_pod(pods: Pods) -> None:
    mounts = [{"name": "work", "mountPath": "/work"}]
    writer = {**shell("echo hello > /work/.new; mv /work/.new /work/note", volumeMounts=mounts), "name": "writer"}
    reader = shell("while ! test -e /work/note; do sleep 0.05; done; cat /work/note", volumeMounts=mounts)
    pods.create("pair", reader, writer, volumes=[{"name": "work", "emptyDir": {"medium": "Memory"}}])
    pods.wait_for_end("pair")
    assert pods.cluster.admin.text(f"/api/v1/namespaces/{pods.namespace}/pods/pair/log?container=main") == "hello\n"


MEETING = """
import os, socket, time
if os.environ["INDEX"] == "0":
    server = socket.create_server((os.environ["OWN"], int(os.environ["PORT"])))
    print(server.accept()[0].recv(99).decode())
else:
    while True:
        try:
            peer = socket.create_connection((os.environ["FIRST"], int(os.environ["PORT"])))
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    peer.sendall(b"hello from " + os.environ["OWN"].encode())
"""


def test_the_pods_of_an_indexed_job_find_each_other_by_name(cluster: LocalCluster, pods: Pods) -> None:
    """Whichever starts first: the name of a peer has its address before the peer is there."""
    index = {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}
    env: list[Object] = [
        {"name": "INDEX", "valueFrom": index},
        {"name": "OWN", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "FIRST", "value": f"meet-0.meet.{pods.namespace}.svc.cluster.local"},
        {"name": "PORT", "value": "29400"},
    ]
    template = {"restartPolicy": "Never", "subdomain": "meet", "containers": [python(MEETING, env=env)]}
    spec = {"completions": 2, "parallelism": 2, "completionMode": "Indexed", "template": {"spec": template}}
    jobs = f"/apis/batch/v1/namespaces/{pods.namespace}/jobs"
    hold = cluster.hold_pod(pods.namespace, "meet-0-*")
    cluster.admin.post(jobs, {"metadata": {"name": "meet"}, "spec": spec})

    def second_runs() -> bool:
        found = cluster.admin.get(f"/api/v1/namespaces/{pods.namespace}/pods")["items"]
        return any(pod["spec"].get("hostname") == "meet-1" and pod["status"]["phase"] == "Running" for pod in found)

    wait_for(second_runs, "the second pod to run")
    hold.release()
    wait_for(lambda: cluster.admin.get(f"{jobs}/meet")["status"].get("succeeded") == 2, "the job to complete")


def test_logs_can_be_cut_and_followed(pods: Pods, kubectl: Kubectl) -> None:
    script = "for i in 1 2 3; do echo line $i; done; sleep 1; echo last; exit 0"
    pods.create("chatty", shell(script))
    pods.wait_for_log("chatty", "line 3")
    followed = kubectl.run("logs", "-f", "chatty").stdout
    assert followed == "line 1\nline 2\nline 3\nlast\n"
    assert kubectl("logs", "--tail=2", "chatty") == "line 3\nlast\n"
    assert kubectl("logs", "--limit-bytes=4", "chatty") == "line"


def test_the_log_of_the_run_before_is_kept(pods: Pods, kubectl: Kubectl) -> None:
    mounts = [{"name": "count", "mountPath": "/count"}]
    script = "echo >> /count/n; echo run $(wc -l < /count/n); test $(wc -l < /count/n) -ge 2"
    volumes = [{"name": "count", "emptyDir": {}}]
    pods.create("twice", shell(script, volumeMounts=mounts), restartPolicy="OnFailure", volumes=volumes)
    pods.wait_for_end("twice")
    assert kubectl("logs", "twice") == "run 2\n"
    assert kubectl("logs", "--previous", "twice") == "run 1\n"


def test_everything_runs_and_a_second_start_changes_nothing(cluster: LocalCluster) -> None:
    before = cluster.running()
    assert set(before) == set(COMPONENTS)
    cluster.start()
    assert cluster.running() == before


def test_a_service_account_may_do_what_it_is_allowed_to(cluster: LocalCluster, pods: Pods, kubectl: Kubectl) -> None:
    account = Kubectl(cluster.service_account_kubeconfig(pods.namespace, "default"), pods.namespace, kubectl.program)
    assert f"system:serviceaccount:{pods.namespace}:default" in account("auth", "whoami")
    assert "forbidden" in account.run("get", "pods").stderr


def test_writes_are_in_the_audit_log(cluster: LocalCluster, pods: Pods) -> None:
    name = f"seen-{pods.namespace}"
    pods.post("configmaps", {"metadata": {"name": name}})

    def entries() -> list[Object]:
        lines = [json.loads(line) for line in cluster.audit_log.read_text().splitlines() if name in line]
        return [line for line in lines if line["verb"] == "create" and line["user"]["username"] == "admin"]

    assert len(wait_for(entries, "the audit log")) == 1


def test_gpus_are_counted_by_the_scheduler(pods: Pods) -> None:
    pods.create("two", shell("sleep 600", resources={"limits": {"nvidia.com/gpu": 2}}))
    pods.wait_for_phase("two", "Running")
    pods.create("more", shell("exit 0", resources={"limits": {"nvidia.com/gpu": 1}}))

    def message() -> str:
        return str([one.get("message") for one in pods.status("more").get("conditions", ())])

    wait_for(lambda: "Insufficient nvidia.com/gpu" in message(), "the scheduler to say what is missing")
    pods.delete("two", grace=1)
    assert pods.wait_for_end("more")["exitCode"] == 0


def test_a_restricted_namespace_refuses_a_plain_pod(cluster: LocalCluster, pods: Pods) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.admin.request("PATCH", f"/api/v1/namespaces/{pods.namespace}", {"metadata": {"labels": labels}})
    with pytest.raises(RestError, match='violates PodSecurity "restricted'):
        pods.create("plain", shell("exit 0"))


def test_the_nodes_server_answers_nobody_without_a_certificate(cluster: LocalCluster) -> None:
    url = f"https://127.0.0.1:{cluster.node_endpoint.port}/healthz"
    done = subprocess.run(["curl", "--silent", "--insecure", url], capture_output=True, text=True)
    assert done.returncode != 0
    assert "ok" not in done.stdout
