"""A bad manifest or change is refused by the real API server, and the message names the field."""

import contextlib
import re
import uuid
from typing import Any

import pytest

from support.kubectl import Kubectl, Refused
from support.manifests import ABSENT, VALID, changed
from support.recipes import BAD_RECIPES, GOOD_RECIPES
from support.specs import BAD_MANIFESTS, GOOD_MANIFESTS, SCRIPT, TEMPLATE

pytestmark = pytest.mark.any_cluster

STAGE = {"epochs": 20, "batchSize": 8}
STAGES = {
    "spec.training.epochs": ABSENT,
    "spec.training.batchSize": ABSENT,
    "spec.training.stages": [STAGE, {"epochs": 5, "batchSize": 32}],
}


@pytest.mark.parametrize(
    ("changes", "field"),
    [pytest.param(changes, field, id=title) for title, changes, field in [*BAD_MANIFESTS, *BAD_RECIPES]],
)
def test_a_bad_manifest_is_refused_with_the_fields_path(kubectl: Kubectl, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused, match=re.escape(field)):
        kubectl.create(changed(VALID, changes), dryRun="All")


@pytest.mark.parametrize(
    "changes", [pytest.param(changes, id=title) for title, changes in [*GOOD_MANIFESTS, *GOOD_RECIPES]]
)
def test_a_good_manifest_is_accepted_and_nothing_is_added_to_it(kubectl: Kubectl, changes: dict[str, Any]) -> None:
    job = changed(VALID, changes)
    assert kubectl.create(job, dryRun="All")["spec"] == without_nulls(job["spec"])


def without_nulls(value: Any) -> Any:
    """Such fields are dropped."""
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    return [without_nulls(child) for child in value] if isinstance(value, list) else value


NEVER = "cannot change"
SUSPENDED_ONLY = "only while the job is suspended"
STAGED = {"spec.suspend": True, "spec.training.epochs": None, "spec.training.batchSize": None}

CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    ("suspend is free", {}, {"spec.suspend": True}, None),
    ("epochs may grow", {}, {"spec.training.epochs": 11}, None),
    (
        "fewer epochs than the default after stages",
        {**STAGED, "spec.training.stages": [{"epochs": 20, "batchSize": 8}]},
        {"spec.training.stages": None, "spec.training.epochs": 50},
        None,
    ),
    (
        "fewer epochs than the stages had",
        {**STAGED, "spec.training.stages": [{"epochs": 200, "batchSize": 8}]},
        {"spec.training.stages": None, "spec.training.epochs": 150},
        "spec.training.epochs",
    ),
    ("epochs never shrink", {}, {"spec.training.epochs": 9}, "spec.training.epochs"),
    ("epochs do not fall back to a smaller default", {"spec.training.epochs": 200}, {"spec.training.epochs": ABSENT},
     "spec.training.epochs"),
    ("restart is free", {}, {"spec.restart": {"maxRestarts": 1}}, None),
    ("deadlines are free", {}, {"spec.deadlines": {"saveSeconds": 5}}, None),
    ("keepLast is free", {}, {"spec.checkpoint.keepLast": 5}, None),
    ("the seed never changes", {}, {"spec.training.seed": 2}, NEVER),
    ("the seed never changes, suspended or not", {"spec.suspend": True}, {"spec.training.seed": 2}, NEVER),
    ("the seed never goes", {}, {"spec.training.seed": ABSENT}, NEVER),
    ("data never change", {}, {"spec.training.data.target": "z"}, NEVER),
    ("the model never changes", {}, {"spec.training.model.dropout": 0.5}, NEVER),
    ("the loss never appears", {}, {"spec.training.loss": {"type": "crossEntropy"}}, NEVER),
    ("the optimizer's type never goes", {}, {"spec.training.optimizer.type": ABSENT}, NEVER),
    ("the volume never changes", {}, {"spec.checkpoint.volume.claimName": "other"}, NEVER),
    ("the folder never changes", {}, {"spec.checkpoint.subPath": "other"}, NEVER),
    ("startFresh never appears", {}, {"spec.checkpoint.startFresh": True}, NEVER),
    ("managedBy never appears", {}, {"spec.managedBy": "trainingjob.dev/operator"}, NEVER),
    ("nodes need a pause", {}, {"spec.nodes": 2}, SUSPENDED_ONLY),
    ("nodes change in the change that pauses", {}, {"spec.nodes": 2, "spec.suspend": True}, None),
    ("nodes change in the change that resumes", {"spec.suspend": True}, {"spec.nodes": 2, "spec.suspend": False}, None),
    ("the pod needs a pause", {}, {"spec.pod.image": "other:1"}, SUSPENDED_ONLY),
    ("the pod's resources need a pause", {"spec.pod.resources": {"limits": {"cpu": 0.5}}},
     {"spec.pod.resources.limits.cpu": 0.25}, SUSPENDED_ONLY),
    ("the volume's size never changes", {"spec.checkpoint.volume": {"claimTemplate": TEMPLATE}},
     {"spec.checkpoint.volume.claimTemplate.size": "2Gi"}, NEVER),
    ("the pod changes while suspended", {"spec.suspend": True}, {"spec.pod.image": "other:1"}, None),
    ("the rate needs a pause", {}, {"spec.training.optimizer.learningRate": 0.1}, SUSPENDED_ONLY),
    ("the rate changes while suspended", {"spec.suspend": True}, {"spec.training.optimizer.learningRate": 0.1}, None),
    ("the batch size needs a pause", {}, {"spec.training.batchSize": 64}, SUSPENDED_ONLY),
    ("a schedule needs a pause", {}, {"spec.training.schedule": {"type": "cosine"}}, SUSPENDED_ONLY),
    ("processesPerNode needs a pause", {}, {"spec.processesPerNode": 2}, SUSPENDED_ONLY),
    ("a recipe never becomes a script", {"spec.suspend": True}, SCRIPT, "cannot become a script"),
    ("a script never becomes a recipe", {**SCRIPT, "spec.suspend": True},
     {"spec.script": ABSENT, "spec.training": VALID["spec"]["training"]}, "cannot become a script"),
    ("what is no script's may change beside one", SCRIPT, {"spec.checkpoint.keepLast": 5}, None),
    ("a script's path never changes", {**SCRIPT, "spec.suspend": True}, {"spec.script.path": "/code/b.py"}, NEVER),
    ("a script's arguments need a pause", SCRIPT, {"spec.script.args": []}, SUSPENDED_ONLY),
    ("a script's arguments change while it is suspended", {**SCRIPT, "spec.suspend": True},
     {"spec.script.args": ABSENT}, None),
    *[
        (f"{field} needs a pause", {}, {f"spec.training.{field}": value}, SUSPENDED_ONLY)
        for field, value in [
            ("regularization", {"l2": 0.1}),
            ("gradient", {"clipNorm": 1.0}),
            ("earlyStopping", {"patience": 3}),
            ("precision", "bfloat16"),
            ("deterministic", True),
            ("compile", True),
            ("export", {"formats": ["onnx"]}),
        ]
    ],
    ("stages need a pause", {}, {**STAGES}, SUSPENDED_ONLY),
    ("stages may come in a pause", {"spec.suspend": True}, {**STAGES}, None),
    ("stages may be fewer epochs", {**STAGES, "spec.suspend": True}, {"spec.training.stages": [STAGE]}, None),
    ("a budget needs a pause", {}, {"spec.training.epochs": ABSENT, "spec.training.budget": {"steps": 5}},
     SUSPENDED_ONLY),
    ("a budget may change in a pause", {"spec.suspend": True, "spec.training.epochs": ABSENT,
     "spec.training.budget": {"steps": 5}}, {"spec.training.budget": {"steps": 9}}, None),
    ("epochs never shrink in a pause either", {"spec.suspend": True}, {"spec.training.epochs": 9},
     "spec.training.epochs"),
    ("the loss never changes its fields", {"spec.training.loss": {"type": "focal"}, "spec.suspend": True},
     {"spec.training.loss.gamma": 1.0}, NEVER),
    ("the momentum changes in a pause", {"spec.training.optimizer.type": "sgd", "spec.suspend": True},
     {"spec.training.optimizer.momentum": 0.9}, None),
]  # fmt: skip


FINISHED = [
    ("the same once more", {}, None),
    ("a label", {"metadata.labels": {"team": "vision"}}, None),
    ("how long its pods stay", {"spec.ttlSecondsAfterFinished": 60}, None),
    ("more epochs", {"spec.training.epochs": 20}, "make a new TrainingJob"),
    ("a pause", {"spec.suspend": True}, "make a new TrainingJob"),
    ("a longer deadline", {"spec.deadlines": {"totalSeconds": 60}}, "make a new TrainingJob"),
    ("a pause and another pod", {"spec.suspend": True, "spec.pod.image": "other:1"}, "make a new TrainingJob"),
]


@pytest.mark.parametrize(("change", "refused"), [pytest.param(c, r, id=title) for title, c, r in FINISHED])
def test_what_may_change_after_the_end(kubectl: Kubectl, change: dict[str, Any], refused: str | None) -> None:
    """That nothing would come of a change is told to whoever makes it."""
    name = f"job-{uuid.uuid4().hex[:10]}"
    kubectl.create(changed(VALID, {"metadata.name": name, "spec.managedBy": "nobody.dev/none"}))
    finished = kubectl.patch("trainingjobs", f"{name}/status", {"status": {"completionTime": "2026-01-01T00:00:00Z"}})
    with contextlib.nullcontext() if refused is None else pytest.raises(Refused, match=re.escape(refused)):
        kubectl.replace(changed(finished, change))


@pytest.mark.parametrize(
    ("before", "change", "refused"), [pytest.param(b, c, r, id=title) for title, b, c, r in CHANGES]
)
def test_what_may_change_when(
    kubectl: Kubectl, before: dict[str, Any], change: dict[str, Any], refused: str | None
) -> None:
    # A claim that no pod will ever find: the job stays where it is.
    first = changed(VALID, {**before, "metadata.name": f"job-{uuid.uuid4().hex[:10]}", "spec.managedBy": ABSENT})
    after = changed(kubectl.create(first), change)
    if refused is None:
        kubectl.replace(after)
        return
    with pytest.raises(Refused, match=re.escape(refused)) as caught:
        kubectl.replace(after)
    if refused in (NEVER, SUSPENDED_ONLY):
        named = re.findall(rf"{refused}: (.+?);", str(caught.value))
        assert named
        assert all(any(path.startswith(f"spec.{field}") for path in change) for field in " ".join(named).split()), named


def test_all_fields_that_cannot_change_are_named(kubectl: Kubectl) -> None:
    there = kubectl.create(changed(VALID, {"metadata.name": f"job-{uuid.uuid4().hex[:10]}"}))
    edit = {"spec.training.seed": 2, "spec.training.model.dropout": 0.5, "spec.nodes": 2, "spec.training.compile": True}
    with pytest.raises(Refused) as caught:
        kubectl.replace(changed(there, edit))
    assert "cannot change: training.model training.seed; make a new TrainingJob" in str(caught.value)
    assert "only while the job is suspended: nodes training.compile; set suspend: true first" in str(caught.value)
