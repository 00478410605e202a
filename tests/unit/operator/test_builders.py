"""What the children look like: golden files for the whole, sentences for what matters.

After a wanted change: `UPDATE_GOLDEN=1 pytest tests/unit/operator/test_builders.py`, and read the diff.
"""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.node.expansion import expand
from support.manifests import ABSENT
from training_operator.builders.claim import build_claim
from training_operator.builders.event import Note, build_event
from training_operator.builders.job import build_job
from training_operator.builders.metadata import spec_digest
from training_operator.builders.network_policy import build_network_policy
from training_operator.builders.service import build_service
from trainingjob_api.handover import run_text
from trainingjob_api.progress import RunConfig
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import ClaimTemplate
from unit.operator.factories import NOW, raw_training_job, training_job

GOLDEN = Path(__file__).parent / "golden"
IMAGE = "ghcr.io/trainingjob/trainer:0.1.0"

FULL: dict[str, Any] = {
    "nodes": 3,
    "processesPerNode": "auto",
    "checkpoint": {"volume": {"claimName": "shared"}, "subPath": "team/digits", "startFresh": True, "keepLast": 5},
    "deadlines": {"saveSeconds": 100},
    "pod": {
        "image": "registry.example/trainer:2",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"requests": {"cpu": "2"}, "limits": {"nvidia.com/gpu": 4, "memory": "8Gi"}},
        "env": [
            {"name": "LOG", "value": "debug"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
        "nodeSelector": {"gpu": "h200"},
        "tolerations": [{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 60}],
        "priorityClassName": "high",
        "runtimeClassName": "nvidia",
        "schedulerName": "other",
        "serviceAccountName": "trainer",
        "labels": {"team": "vision", "trainingjob.dev/name": "somebody-else"},
        "annotations": {"note": "hello"},
        "sharedMemory": "16Gi",
        "securityContext": {"runAsUser": 1000, "runAsGroup": 100, "fsGroup": 100, "supplementalGroups": [4, 5]},
    },
}

SCRIPT: dict[str, Any] = {
    "training": ABSENT,
    "nodes": 2,
    "script": {"path": "/program/train.py", "args": ["--epochs", "20", ""]},
    "pod": {
        "volumes": [{"name": "program", "configMap": {"name": "program"}}],
        "volumeMounts": [{"name": "program", "mountPath": "/program", "readOnly": True}],
    },
}

MANIFESTS: dict[str, Any] = {
    "job-one-node": lambda: build_job(training_job(), 1, IMAGE),
    "job-three-nodes": lambda: build_job(training_job(**FULL), 2, IMAGE),
    "job-script": lambda: build_job(training_job(**SCRIPT), 1, IMAGE),
    "service": lambda: build_service(training_job(nodes=2)),
    "network-policy": lambda: build_network_policy(training_job(), ("trainingjob-system", "metrics=enabled")),
    "claim": lambda: build_claim(training_job(), ClaimTemplate(size="1Gi", storage_class_name="fast")),
    "claim-owned": lambda: build_claim(training_job(), ClaimTemplate(size="1Gi", retain=False)),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_golden(name: str) -> None:
    built = yaml.safe_dump(MANIFESTS[name](), sort_keys=False, width=120)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(built)
    assert built == path.read_text()


def env_of(manifest: dict[str, Any]) -> dict[str, str]:
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one.get("value", "") for one in container["env"]}


def test_the_recipe_arrives_as_it_was_written() -> None:
    job = training_job(**FULL)
    config = RunConfig.model_validate_json(env_of(build_job(job, 2, IMAGE))["TRAININGJOB_RUN"])
    assert config.training == job.spec.training
    assert (config.uid, config.attempt, config.keep_last) == (job.metadata.uid, 2, 5)


def test_a_program_arrives_as_it_was_written_and_without_a_recipe() -> None:
    job = training_job(**SCRIPT)
    config = RunConfig.model_validate_json(env_of(build_job(job, 1, IMAGE))["TRAININGJOB_RUN"])
    assert (config.script, config.training, config.epochs_asked) == (job.spec.script, None, None)


def kubelets(manifest: dict[str, Any]) -> dict[str, str]:
    """The environment that the kubelet makes of a Job: every value may refer to those before it."""
    values: dict[str, str] = {}
    for one in manifest["spec"]["template"]["spec"]["containers"][0]["env"]:
        values[one["name"]] = expand(one["value"], values) if "value" in one else f"<{one['name']}>"
    return values


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["US$$", "$(POD_NAME)", "^\\$(HOME)$", "$", "$(", "$$(LOG)", "price_$$"], id="dollars"),
        pytest.param(["/data/" + f"{n:04d}".rjust(1010, "x") for n in range(256)], id="as many as there may be"),
        pytest.param(["\N{GRINNING FACE}" * 1024] * 256, id="as long as they may be"),
        pytest.param(['","' * 300] * 100, id="what looks like the end of a text"),
    ],
)
def test_arguments_arrive_letter_by_letter(args: list[str]) -> None:
    changes = {"script": {"path": "/program/train.py", "args": args}, "pod": {"env": [{"name": "LOG", "value": "x"}]}}
    environment = kubelets(build_job(training_job(training=ABSENT, **changes), 1, IMAGE))
    assert RunConfig.model_validate_json(run_text(environment)).script.args == args
    assert max(len(value.encode()) for value in environment.values()) < 128 * 1024 - 64, "more than a process can get"


def test_a_path_among_many_arguments_is_in_one_variable_as_a_whole() -> None:
    """So that it can be replaced by somebody who knows where it leads."""
    args = ["/data/" + f"{n:04d}".rjust(900, "x") for n in range(200)]
    variables = env_of(build_job(training_job(training=ABSENT, script={"path": "/a.py", "args": args}), 1, IMAGE))
    pieces = [value for name, value in variables.items() if name.startswith("TRAININGJOB_RUN")]
    assert all(any(arg in piece for piece in pieces) for arg in args)
    assert len(pieces) > 1


def test_users_variables_never_replace_ours() -> None:
    """The last one of a name counts, so ours come last."""
    container = build_job(training_job(**FULL), 1, IMAGE)["spec"]["template"]["spec"]["containers"][0]
    names = [one["name"] for one in container["env"]]
    assert names.index("LOG") < names.index("TRAININGJOB_RUN")


def test_users_variables_may_refer_to_who_the_pod_is() -> None:
    tag = {"name": "RUN_TAG", "value": "run-$(POD_NAME)-$(PET_NODE_RANK)"}
    environment = kubelets(build_job(training_job(pod={"env": [tag]}), 1, IMAGE))
    assert environment["RUN_TAG"] == "run-<POD_NAME>-<PET_NODE_RANK>"


def test_users_labels_never_replace_ours() -> None:
    labels = build_job(training_job(**FULL), 1, IMAGE)["spec"]["template"]["metadata"]["labels"]
    assert labels["trainingjob.dev/name"] == "digits"
    assert labels["team"] == "vision"


QUEUE = {"kueue.x-k8s.io/queue-name": "team-a"}
URGENT = {**QUEUE, "kueue.x-k8s.io/priority-class": "urgent"}


@pytest.mark.parametrize(
    ("own", "spec", "expected"),
    [
        ({}, {}, {}),
        ({}, {"queue": {"name": "team-a"}}, QUEUE),
        ({}, {"queue": {"name": "team-a", "priorityClass": "urgent"}}, URGENT),
        ({**URGENT, "team": "vision"}, {}, URGENT),
        ({"kueue.x-k8s.io/queue-name": "other"}, {"queue": {"name": "team-a"}}, QUEUE),
    ],
    ids=["none", "by the spec", "with a priority", "by labels of its own", "the spec decides"],
)
def test_a_queue_finds_job_and_pods(own: dict[str, str], spec: dict[str, Any], expected: dict[str, str]) -> None:
    training = training_job(**spec)
    labelled = training.metadata.model_copy(update={"labels": own})
    made = build_job(training.model_copy(update={"metadata": labelled}), 1, IMAGE)
    for labels in (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]):
        assert {name: value for name, value in labels.items() if name.startswith("kueue")} == expected
        assert "team" not in labels


def test_each_attempt_has_a_port_and_a_host_of_its_own() -> None:
    first, second = (env_of(build_job(training_job(nodes=2), attempt, IMAGE)) for attempt in (1, 2))
    assert first["PET_MASTER_PORT"] != second["PET_MASTER_PORT"]
    assert (first["PET_MASTER_ADDR"], second["PET_MASTER_ADDR"]) == (
        "digits-1-0.digits-nodes",
        "digits-2-0.digits-nodes",
    )


def test_gpus_decide_the_processes() -> None:
    assert env_of(build_job(training_job(**FULL), 1, IMAGE))["PET_NPROC_PER_NODE"] == "4"


def test_nothing_that_is_given_is_changed() -> None:
    raw = raw_training_job(**FULL)
    before = copy.deepcopy(raw)
    job = TrainingJob.model_validate(raw)
    dumped = job.model_dump_json()
    build_job(job, 1, IMAGE)
    assert raw == before
    assert job.model_dump_json() == dumped


def test_an_empty_dir_has_no_folder_of_its_own() -> None:
    spec = build_job(training_job(checkpoint__volume={"emptyDir": {}}), 1, IMAGE)["spec"]["template"]["spec"]
    assert spec["volumes"][0] == {"name": "checkpoints", "emptyDir": {}}
    assert "subPath" not in spec["containers"][0]["volumeMounts"][0]


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"suspend": True}, True),
        ({"restart": {"maxRestarts": 9}}, True),
        ({"ttlSecondsAfterFinished": 9}, True),
        ({"deadlines": {"totalSeconds": 9}}, True),
        ({"managedBy": "trainingjob.dev/operator"}, True),
        ({"deadlines": {"saveSeconds": 9}}, False),
        ({"training__epochs": 99}, False),
        ({"nodes": 2}, False),
        ({"pod": {"image": "other"}}, False),
        ({"checkpoint__keepLast": 9}, False),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_digest(change: dict[str, Any], is_same: bool) -> None:
    assert (spec_digest(training_job(**change).spec) == spec_digest(training_job().spec)) is is_same


def test_a_restart_that_a_person_asks_for_changes_the_digest_and_without_one_it_is_as_ever() -> None:
    spec = training_job().spec
    assert spec_digest(spec, "") == spec_digest(spec)
    assert len({spec_digest(spec), spec_digest(spec, "2026-01-31T12:00:00Z"), spec_digest(spec, "later")}) == 3


def test_a_default_that_is_written_out_is_a_change_but_a_new_default_is_none() -> None:
    """The digest is of what was written: a release with another default restarts nobody."""
    assert "keepLast" not in training_job().spec.model_dump(by_alias=True, exclude_unset=True)["checkpoint"]


class TestEvent:
    def test_the_same_thing_has_the_same_name(self) -> None:
        one, other = (build_event(training_job(), 1, Note("Paused", message), NOW) for message in ("a", "b"))
        assert one["metadata"]["name"] == other["metadata"]["name"]

    @pytest.mark.parametrize(
        ("attempt", "note"), [(2, Note("Paused", "")), (1, Note("Resumed", "")), (1, Note("Paused", "", about="x"))]
    )
    def test_another_thing_has_another_name(self, attempt: int, note: Note) -> None:
        one, other = (
            build_event(training_job(), 1, Note("Paused", ""), NOW),
            build_event(training_job(), attempt, note, NOW),
        )
        assert one["metadata"]["name"] != other["metadata"]["name"]

    def test_a_long_message_is_cut(self) -> None:
        assert len(build_event(training_job(), 1, Note("Failed", "x" * 5000), NOW)["message"]) <= 1024
