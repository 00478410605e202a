"""A manifest that somebody pastes: what is taken of it, and what is refused."""

import json
from typing import Any

import pytest
import yaml

from training_gateway.gate import User
from training_gateway.refusal import Refusal
from training_gateway.submission import read
from unit.gateway.jobs import raw


def job(**changes: Any) -> bytes:
    return yaml.safe_dump(raw(**changes)).encode()


CONFIG_MAP = yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "data"}, "data": {"a": "1"}})
SECRET = yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}})
REFUSED = {
    "nothing": (b"", "no TrainingJob"),
    "no YAML": (b"a: [1", "neither YAML nor JSON: line"),
    "no text": (b"\xff\xfe", "neither YAML nor JSON"),
    "a word": (b"train please", "no Kubernetes object"),
    "a list": (b"[1, 2]", "no Kubernetes object"),
    "no name": (b"apiVersion: trainingjob.dev/v1alpha1\nkind: TrainingJob\n", "metadata.name"),
    "two at once": (job() + b"---\n" + job(name="b"), "2 TrainingJobs"),
    "a Secret beside it": (job() + b"---\n" + SECRET.encode(), "not a Secret: apply it with kubectl"),
    "another version": (b"apiVersion: trainingjob.dev/v9\nkind: TrainingJob\nmetadata: {name: a}\n", "v1alpha1"),
    "aliases that grow": (b"a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "anchors"),
    "a Python object": (b"!!python/object/apply:os.system ['true']\n", "neither YAML nor JSON"),
    "brackets without end": (b"[" * 100_000, "brackets or indents"),
}


@pytest.mark.parametrize(("body", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_manifest_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refusal:
        read(body)
    assert refusal.value.code == 422


def test_what_a_cluster_writes_into_an_object_is_left_out() -> None:
    labels = {"team": "a", "trainingjob.dev/task-id": "epoch_training_20240101_120000"}
    submission = read(job(labels=labels, status={"phase": "Running"}))
    made = submission.by(User("ada"))
    assert submission.namespace == "team"
    assert made["metadata"] == {
        "name": "job",
        "labels": {"team": "a"},
        "annotations": {"trainingjob.dev/requested-by": "ada"},
    }
    assert "status" not in made


def test_config_maps_come_along() -> None:
    submission = read(CONFIG_MAP.encode() + b"---\n" + job())
    assert [each["metadata"]["name"] for each in submission.config_maps] == ["data"]


def test_json_is_a_manifest_too() -> None:
    assert read(json.dumps(raw()).encode()).job["metadata"]["name"] == "job"
