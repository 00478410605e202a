"""What a container finds around it, and how its end is reported."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_cluster import procfs
from support.pods import Object, Pods, python, shell
from support.waiting import wait_for

Run = Callable[..., Object]


@pytest.mark.parametrize(
    ("script", "policy", "code", "reason"),
    [
        pytest.param("exit 0", "Never", 0, "Completed", id="success"),
        pytest.param("exit 43", "Never", 43, "Error", id="an exit code of its own"),
        pytest.param("kill -KILL $$$$", "Never", 137, "Error", id="killed by a signal"),
        pytest.param("kill -SEGV $$$$", "Never", 139, "Error", id="a crash"),
    ],
)
def test_an_exit_code_is_reported_as_it_was(run: Run, script: str, policy: str, code: int, reason: str) -> None:
    end = run(shell(script), restartPolicy=policy)
    assert (end["exitCode"], end["reason"]) == (code, reason)
    assert end["startedAt"] <= end["finishedAt"]


def test_a_program_that_does_not_exist_cannot_start(run: Run) -> None:
    end = run({"name": "main", "image": "python:3.11", "command": ["no-such-program"]})
    assert (end["exitCode"], end["reason"]) == (128, "StartError")
    assert "no-such-program" in end["message"]


def test_the_termination_message_is_read_from_the_file(run: Run) -> None:
    assert run(shell("echo -n saved at step 7 > /dev/termination-log; exit 43"))["message"] == "saved at step 7"


def test_the_termination_message_is_cut_at_4096_bytes(run: Run) -> None:
    end = run(python("open('/dev/termination-log', 'w').write('x' * 9000)"))
    assert len(end["message"]) == 4096


def test_the_termination_message_goes_where_the_container_says(run: Run) -> None:
    script = 'import os; open(os.environ["MESSAGE"], "w").write("here")'
    path = "/var/message"
    end = run(python(script, env=[{"name": "MESSAGE", "value": path}], terminationMessagePath=path))
    assert end["message"] == "here"


@pytest.mark.parametrize(("code", "message"), [(1, "the last words\n"), (0, None)], ids=["failure", "success"])
def test_the_log_stands_in_for_the_message_of_a_failure(run: Run, code: int, message: str | None) -> None:
    end = run(shell(f"echo the last words; exit {code}", terminationMessagePolicy="FallbackToLogsOnError"))
    assert end.get("message") == message


def test_a_container_over_its_memory_limit_is_killed_for_it(run: Run) -> None:
    script = "import time; hog = bytearray(200 << 20); time.sleep(60)"
    end = run(python(script, resources={"limits": {"memory": "100Mi"}}))
    assert (end["exitCode"], end["reason"]) == (137, "OOMKilled")


def test_a_container_yields_to_everything_else(run: Run) -> None:
    script = "import os; open('/dev/termination-log', 'w').write(str(os.nice(0)))"
    assert int(run(python(script))["message"]) == min(19, os.nice(0) + 5)


def test_nothing_that_a_container_started_outlives_it(pods: Pods, tmp_path: Path) -> None:
    """Even what put itself into a session of its own and is nobody's child any more."""
    orphans = "setsid sleep 600 & (setsid sh -c 'sleep 600 & sleep 600' &)"
    pods.create("tree", shell(f"{orphans}; echo up; while ! test -e {tmp_path}/go; do sleep 0.05; done; exit 5"))
    pods.wait_for_log("tree", "up")
    pids = wait_for(lambda: _at_least(5, pods.cluster.pod_processes(pods.namespace, "tree")), "the whole tree")
    (tmp_path / "go").touch()
    assert pods.wait_for_end("tree")["exitCode"] == 5
    assert not [pid for pid in pids if procfs.start_time(pid)]


def _at_least(number: int, pids: list[int]) -> list[int]:
    return pids if len(pids) >= number else []


def test_the_environment_is_that_of_the_pod_and_nothing_of_the_nodes(run: Run) -> None:
    env = json.loads(run(python("import os, json; print(json.dumps(dict(os.environ)))"))["log"])
    assert env["HOSTNAME"] == "pod"
    assert env["GLOO_SOCKET_IFNAME"] == "lo"
    assert not {"KUBECONFIG", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST", "USER"} & set(env)


def test_the_downward_api_tells_the_pod_about_itself(run: Run, pods: Pods) -> None:
    fields = {
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "APP": "metadata.labels['app']",
        "IP": "status.podIP",
        "NODE": "spec.nodeName",
        "ACCOUNT": "spec.serviceAccountName",
    }
    env: list[Object] = [{"name": k, "valueFrom": {"fieldRef": {"fieldPath": path}}} for k, path in fields.items()]
    env.append({"name": "MIB", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}})
    env.append({"name": "GREETING", "value": "$(NAME) at $(IP), $$(NAME), $(UNKNOWN)"})
    dump = python(
        "import os, json; print(json.dumps(dict(os.environ)))", env=env, resources={"limits": {"memory": "1Gi"}}
    )
    found = json.loads(run(dump)["log"])
    status = pods.status("pod")
    assert {key: found[key] for key in fields} == {
        "NAME": "pod",
        "NAMESPACE": pods.namespace,
        "APP": "pod",
        "IP": status["podIP"],
        "NODE": "local",
        "ACCOUNT": "default",
    }
    assert found["MIB"] == "1024"
    assert found["GREETING"] == f"pod at {status['podIP']}, $(NAME), $(UNKNOWN)"


def _settings(pods: Pods) -> None:
    encoded = base64.b64encode(b"hunter2").decode()
    pods.post("configmaps", {"metadata": {"name": "settings"}, "data": {"color": "blue", "size": "9"}})
    pods.post("secrets", {"metadata": {"name": "keys"}, "data": {"password": encoded}})


def test_config_maps_and_secrets_come_as_variables(run: Run, pods: Pods) -> None:
    _settings(pods)
    env = [
        {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "x", "optional": True}}},
    ]
    groups = [{"prefix": "ALL_", "configMapRef": {"name": "settings"}}]
    end = run(shell('echo "$COLOR $PASSWORD ${MAYBE-unset} $ALL_size"', env=env, envFrom=groups))
    assert end["log"] == "blue hunter2 unset 9\n"


def test_config_maps_secrets_and_fields_come_as_files(run: Run, pods: Pods) -> None:
    _settings(pods)
    sources: list[Object] = [
        {"configMap": {"name": "settings", "items": [{"key": "color", "path": "deep/color"}]}},
        {"secret": {"name": "keys"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token", "audience": "somebody"}},
    ]
    mounts = [{"name": "all", "mountPath": "/all"}, {"name": "map", "mountPath": "/map"}]
    volumes: list[Object] = [
        {"name": "all", "projected": {"sources": sources}},
        {"name": "map", "configMap": {"name": "settings"}},
    ]
    script = "cd /all; cat deep/color password labels; wc -c < token; cat /map/size"
    end = run(shell(script, volumeMounts=mounts), volumes=volumes)
    assert end["exitCode"] == 0, end["log"]
    assert end["log"].startswith('bluehunter2app="pod"')
    assert end["log"].endswith("\n9")


def test_a_missing_config_map_is_waited_for(pods: Pods) -> None:
    env = [{"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}}]
    pods.create("eager", shell("echo $COLOR", env=env))

    def waiting() -> Any:
        return pods.state("eager").get("waiting", {}).get("reason") == "CreateContainerConfigError"

    wait_for(waiting, "CreateContainerConfigError")
    assert pods.state("eager")["waiting"]["message"] == 'configmap "settings" not found'
    _settings(pods)
    assert pods.wait_for_end("eager")["exitCode"] == 0
    assert pods.log("eager") == "blue\n"


def test_an_unknown_image_is_an_image_that_cannot_be_pulled(pods: Pods) -> None:
    pods.create("stranger", {"name": "main", "image": "example.com/nothing:1"})

    def reason() -> str:
        return str(pods.state("stranger").get("waiting", {}).get("reason"))

    wait_for(lambda: reason() in ("ErrImagePull", "ImagePullBackOff"), "an image pull error")
    wait_for(lambda: reason() == "ImagePullBackOff", "ImagePullBackOff")
    assert "example.com/nothing:1" in pods.state("stranger")["waiting"]["message"]
    assert pods.status("stranger")["phase"] == "Pending"


def test_a_restart_policy_is_kept(pods: Pods) -> None:
    """Fails twice, then succeeds: what it counts with survives in a volume of the pod."""
    count = "echo >> /count/n; test $(wc -l < /count/n) -ge 3"
    mounts = [{"name": "count", "mountPath": "/count"}]
    volumes: list[Object] = [{"name": "count", "emptyDir": {}}]
    pods.create("again", shell(count, volumeMounts=mounts), restartPolicy="OnFailure", volumes=volumes)
    assert pods.wait_for_end("again")["exitCode"] == 0
    status = pods.status("again")["containerStatuses"][0]
    assert status["restartCount"] == 2
    assert status["lastState"]["terminated"]["exitCode"] == 1


def test_init_containers_run_one_after_the_other_before_the_others(run: Run) -> None:
    mounts = [{"name": "work", "mountPath": "/work"}]
    first = {**shell("echo first >> /work/log", volumeMounts=mounts), "name": "first"}
    second = {**shell("echo second >> /work/log", volumeMounts=mounts), "name": "second"}
    main = shell("cat /work/log", volumeMounts=mounts)
    end = run(main, initContainers=[first, second], volumes=[{"name": "work", "emptyDir": {}}])
    assert end["log"] == "first\nsecond\n"


def test_a_failed_init_container_fails_the_pod(pods: Pods) -> None:
    pods.create("broken", shell("echo never"), initContainers=[{**shell("exit 9"), "name": "first"}])
    status = pods.wait_for_phase("broken", "Failed")
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 9
    assert "waiting" in status["containerStatuses"][0]["state"]


def test_a_pod_over_its_deadline_fails(pods: Pods) -> None:
    pods.create("slow", shell("sleep 600"), activeDeadlineSeconds=1)
    assert pods.wait_for_phase("slow", "Failed")["reason"] == "DeadlineExceeded"


def test_readiness_follows_the_probe(pods: Pods, tmp_path: Path) -> None:
    probe = {"exec": {"command": ["test", "-e", str(tmp_path / "ready")]}, "periodSeconds": 1, "failureThreshold": 1}
    pods.create("probed", shell("echo up; sleep 600", readinessProbe=probe))
    pods.wait_for_log("probed", "up")
    assert not pods.is_ready("probed")
    (tmp_path / "ready").touch()
    wait_for(lambda: pods.is_ready("probed"), "readiness")
    (tmp_path / "ready").unlink()
    wait_for(lambda: not pods.is_ready("probed"), "the end of readiness")


def test_a_container_that_cannot_be_made_says_why_and_is_tried_again(pods: Pods, tmp_path: Path) -> None:
    """A file is in the way of the folder; the pod starts once it is moved."""
    obstacle = tmp_path / "jobs"
    obstacle.touch()
    mounts = [{"name": "host", "mountPath": "/host", "subPath": "jobs/one"}]
    volumes = [{"name": "host", "hostPath": {"path": str(tmp_path)}}]
    pods.create("blocked", shell("exit 0", volumeMounts=mounts), volumes=volumes)

    def waiting() -> Any:
        return pods.state("blocked").get("waiting", {}).get("reason") == "CreateContainerError"

    wait_for(waiting, "CreateContainerError")
    obstacle.unlink()
    assert pods.wait_for_end("blocked")["exitCode"] == 0
