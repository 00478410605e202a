"""What is started for a container: image, command, environment and directory, in this machine's terms."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from local_cluster.node import environment, parsing
from local_cluster.node.addresses import Addresses
from local_cluster.node.context import Context
from local_cluster.node.devices import Gpus
from local_cluster.node.faults import Faults
from local_cluster.node.fields import Fields
from local_cluster.node.images import Image, ImageTable
from local_cluster.node.instance import Instance, Launch
from local_cluster.node.launching import Surroundings, launch, resolve
from local_cluster.node.memory import MemoryWatch
from local_cluster.node.sources import NotReadyError

IMAGE = Image(("/bin/entry",), ("default",))


@pytest.fixture
def launched(tmp_path: Path) -> Any:
    """Launch a container given as JSON, on a node with two real GPUs."""
    addresses, gpus = Addresses("cluster"), Gpus(2)
    context: Any = Context(
        api=None,  # type: ignore[arg-type]  # nothing is referred to, so nobody is asked
        events=None,  # type: ignore[arg-type]
        server=("127.0.0.1", 6443),
        pods=tmp_path,
        allocatable={"cpu": "4", "memory": "8Gi"},
        images=ImageTable({}),
        addresses=addresses,
        gpus=gpus,
        faults=Faults(),
        memory=MemoryWatch(),
    )

    def run(container: dict[str, Any], image: Image = IMAGE) -> Launch:
        raw = {"name": "main", "volumeMounts": [{"name": "data", "mountPath": "/data"}], **container}
        metadata = {"namespace": "n", "name": "p", "uid": "u", "labels": {"app": "x"}}
        pod = parsing.pod({"metadata": metadata, "spec": {"containers": [raw]}})
        fields = Fields(pod, "127.9.9.9", "127.0.0.1", context.allocatable)
        surroundings = Surroundings(fields, None, {"data": tmp_path / "real"}, tmp_path / "scratch")  # type: ignore[arg-type]
        variables = asyncio.run(resolve(pod.containers[0], surroundings, context))
        return launch(pod.containers[0], image, variables, surroundings, context, Instance(tmp_path / "0"))

    return run


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({}, ["/bin/entry", "default"], id="neither given"),
        pytest.param({"args": ["a", "b"]}, ["/bin/entry", "a", "b"], id="args replace the default arguments"),
        pytest.param({"command": ["c"]}, ["c"], id="command replaces everything"),
        pytest.param({"command": ["c"], "args": ["a"]}, ["c", "a"], id="both"),
        pytest.param(
            {"args": ["$(X)/$$(X)"], "env": [{"name": "X", "value": "1"}]}, ["/bin/entry", "1/$(X)"], id="expansion"
        ),
    ],
)
def test_the_command(launched: Any, container: dict[str, Any], expected: list[str]) -> None:
    assert launched(container).command == expected


def test_an_image_without_a_command_needs_one(launched: Any) -> None:
    with pytest.raises(NotReadyError, match="no command"):
        launched({}, Image())


def test_paths_are_translated_in_what_the_pod_says_and_nowhere_else(launched: Any, tmp_path: Path) -> None:
    env = [{"name": "IN", "value": "/data/x"}, {"name": "OUT", "value": "$(IN).out"}]
    found = launched({"args": ["/data"], "env": env}, Image(("/data/entry",), ()))
    assert found.command == ["/data/entry", str(tmp_path / "real")]
    assert found.environment["OUT"] == f"{tmp_path}/real/x.out"


def test_the_environment_is_clean_and_finds_this_python_first(launched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_NODE", "x")
    monkeypatch.setenv("SSL_CERT_FILE", "/certs")
    found = launched({}).environment
    assert set(found) <= {*environment.PASSED_ON, *environment.base("", Path(), ("", 0)), "CUDA_VISIBLE_DEVICES"}
    assert found["SSL_CERT_FILE"] == "/certs"
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_a_path_of_the_pods_own_still_finds_this_python_first(launched: Any) -> None:
    found = launched({"env": [{"name": "PATH", "value": "/opt/bin"}]}).environment
    assert found["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/opt/bin"]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, "scratch/main"),
        ({"workingDir": "/data/jobs"}, "real/jobs"),
    ],
    ids=["a home of its own", "a folder in a volume"],
)
def test_the_working_directory_exists(launched: Any, tmp_path: Path, container: dict[str, Any], expected: str) -> None:
    assert launched(container).directory == tmp_path / expected
    assert (tmp_path / expected).is_dir()


def test_temporary_files_go_to_the_volume_at_tmp(launched: Any, tmp_path: Path) -> None:
    found = launched({"volumeMounts": [{"name": "data", "mountPath": "/tmp"}]})
    assert found.environment["TMPDIR"] == str(tmp_path / "real")


def test_a_container_sees_the_gpus_that_it_asked_for(launched: Any) -> None:
    assert launched({"resources": {"limits": {"nvidia.com/gpu": "1"}}}).environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert launched({"name": "other"}).environment["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [("limits.memory", "1Mi", "512"), ("limits.cpu", "1", "4"), ("requests.cpu", "1m", "0")],
    ids=["its limit", "the node's resources without a limit", "no request"],
)
def test_resources_can_be_asked_for(launched: Any, resource: str, divisor: str, expected: str) -> None:
    reference = {"resourceFieldRef": {"resource": resource, "divisor": divisor}}
    container = {"resources": {"limits": {"memory": "512Mi"}}, "env": [{"name": "N", "valueFrom": reference}]}
    assert launched(container).environment["N"] == expected
