"""A bad manifest or change is refused by the real API server, and the message names the field."""

import json
from typing import Any

import pytest

from support.kubectl import Kubectl
from support.manifests import ABSENT, VALID, changed

pytestmark = [pytest.mark.any_cluster, pytest.mark.usefixtures("definition")]

TEMPLATE = {"size": "1Gi"}
SCRIPT = {"spec.training": ABSENT, "spec.script": {"path": "/code/train.py", "args": ["--rate", "0.1"]}}
WINDOWS = {"spec.training.data.sequence": {"length": 5}}

BAD_MANIFESTS: list[tuple[str, dict[str, Any], str]] = [
    ("a name that is too long", {"metadata.name": "a" * 49}, "metadata.name"),
    ("a name with a dot", {"metadata.name": "a.b"}, "metadata.name"),
    ("a name that begins with a digit", {"metadata.name": "1a"}, "metadata.name"),
    ("no spec", {"spec": ABSENT}, "spec"),
    ("a field that nobody knows", {"spec.epocs": 3}, "spec.epocs"),
    ("a field of training that nobody knows", {"spec.training.momentum": 0.9}, "spec.training.momentum"),
    ("neither recipe nor script", {"spec.training": ABSENT}, "spec.training"),
    ("recipe and script", {"spec.script": {"path": "/code/train.py"}}, "spec.training"),
    ("a script without a path", {**SCRIPT, "spec.script": {"args": []}}, "spec.script.path"),
    ("a script that is not Python", {**SCRIPT, "spec.script": {"path": "/code/train.sh"}}, "spec.script.path"),
    ("no task", {"spec.training.task": ABSENT}, "spec.training.task"),
    ("a task that nobody knows", {"spec.training.task": "clustering"}, "spec.training.task"),
    ("no epochs at all", {"spec.training.epochs": 0}, "spec.training.epochs"),
    ("epochs as text", {"spec.training.epochs": "ten"}, "spec.training.epochs"),
    ("half an epoch", {"spec.training.epochs": 0.5}, "spec.training.epochs"),
    ("an empty batch", {"spec.training.batchSize": 0}, "spec.training.batchSize"),
    ("no data", {"spec.training.data": ABSENT}, "spec.training.data"),
    ("no target", {"spec.training.data.target": ABSENT}, "spec.training.data.target"),
    ("an empty list of features", {"spec.training.data.features": []}, "spec.training.data.features"),
    ("validation that is empty", {"spec.training.data.validation": {}}, "spec.training.data.validation"),
    (
        "validation given twice",
        {"spec.training.data.validation": {"fraction": 0.1, "path": "/data/v.csv"}},
        "spec.training.data.validation",
    ),
    (
        "validation that takes nothing",
        {"spec.training.data.validation": {"fraction": 0}},
        "spec.training.data.validation.fraction",
    ),
    (
        "validation that takes everything",
        {"spec.training.data.validation": {"fraction": 1.0}},
        "spec.training.data.validation.fraction",
    ),
    ("no path", {"spec.training.data.path": ABSENT}, "spec.training.data.path"),
    ("a path for data that is drawn", {"spec.training.data.format": "synthetic"}, "spec.training.data.path"),
    (
        "a test of data that is drawn",
        {"spec.training.data": {"format": "synthetic", "test": {"path": "/data/t.csv"}}},
        "spec.training.data.format",
    ),
    ("a format that nobody knows", {"spec.training.data.format": "hdf5"}, "spec.training.data.format"),
    (
        "what to draw, for a file",
        {"spec.training.data.synthetic": {"samples": 10}},
        "spec.training.data.synthetic",
    ),
    (
        "columns of images",
        {"spec.training.data": {"path": "/data", "format": "idx", "features": ["a"]}},
        "spec.training.data.features",
    ),
    ("a shape of one number", {"spec.training.data.shape": [4]}, "spec.training.data.shape"),
    (
        "a shape for windows",
        {"spec.training.data.shape": [2, 2], "spec.training.data.sequence": {"length": 2}},
        "spec.training.data.sequence",
    ),
    ("windows of nothing", {"spec.training.data.sequence": {"length": 0}}, "spec.training.data.sequence.length"),
    (
        "windows over images",
        {"spec.training.data": {"path": "/data", "format": "imageFolder", "sequence": {"length": 2}}},
        "spec.training.data.sequence",
    ),
    (
        "a series that is streamed",
        {"spec.training.data.sequence": {"length": 2}, "spec.training.data.loading": "stream"},
        "spec.training.data.loading",
    ),
    (
        "images that are streamed",
        {"spec.training.data": {"path": "/data", "format": "idx", "loading": "stream"}},
        "spec.training.data.loading",
    ),
    (
        "augmentation of what is no image",
        {"spec.training.data.augmentation": {"horizontalFlip": True}, "spec.training.data.shape": [2, 2]},
        "spec.training.data.augmentation",
    ),
    ("a model that nobody knows", {"spec.training.model.type": "transformer"}, "spec.training.model.type"),
    ("a layer without units", {"spec.training.model.hiddenUnits": [64, 0]}, "spec.training.model.hiddenUnits[1]"),
    ("dropout of everything", {"spec.training.model.dropout": 1.0}, "spec.training.model.dropout"),
    (
        "batch norm in an lstm",
        {"spec.training.model": {"type": "lstm", "batchNorm": True}, **WINDOWS},
        "spec.training.model.batchNorm",
    ),
    (
        "an activation in a gru",
        {"spec.training.model": {"type": "gru", "activation": "tanh"}, **WINDOWS},
        "spec.training.model.activation",
    ),
    ("channels in an mlp", {"spec.training.model.channels": [8]}, "spec.training.model.channels"),
    (
        "two kernel sizes for three convolutions",
        {
            "spec.training.data.shape": [1, 8, 8],
            "spec.training.model": {"type": "cnn", "channels": [4, 4, 4], "kernelSizes": [3, 3]},
        },
        "spec.training.model.kernelSizes",
    ),
    ("a cnn over columns", {"spec.training.model": {"type": "cnn"}}, "spec.training.model.type"),
    ("an lstm over columns", {"spec.training.model": {"type": "lstm"}}, "spec.training.model.type"),
    (
        "an lstm over images",
        {"spec.training.model": {"type": "lstm"}, "spec.training.data.shape": [1, 8, 8]},
        "spec.training.model.type",
    ),
    ("a custom network from nowhere", {"spec.training.model": {"type": "custom"}}, "spec.training.model.entrypoint"),
    (
        "an entrypoint without a function",
        {"spec.training.model": {"type": "custom", "entrypoint": "my.module"}},
        "spec.training.model.entrypoint",
    ),
    (
        "an export to a format that nobody knows",
        {"spec.training.export": {"formats": ["tflite"]}},
        "spec.training.export.formats[0]",
    ),
    ("an export to a bucket", {"spec.training.export": {"path": "s3://b/model"}}, "spec.training.export.path"),
    ("a loss for another task", {"spec.training.loss": {"type": "mse"}}, "spec.training.loss.type"),
    ("an optimizer that nobody knows", {"spec.training.optimizer.type": "lion"}, "spec.training.optimizer.type"),
    ("no learning rate", {"spec.training.optimizer.learningRate": 0}, "spec.training.optimizer.learningRate"),
    (
        "a minimum for a constant rate",
        {"spec.training.schedule": {"type": "constant", "minimum": 0.001}},
        "spec.training.schedule.minimum",
    ),
    (
        "a minimum above the rate",
        {"spec.training.schedule": {"type": "cosine", "minimum": 0.1}},
        "spec.training.schedule.minimum",
    ),
    (
        "a warm-up as long as the training",
        {"spec.training.schedule": {"type": "cosine", "warmup": {"epochs": 10}}},
        "spec.training.schedule.warmup.epochs",
    ),
    (
        "early stopping on rows that are not held back",
        {"spec.training.data.validation": ABSENT, "spec.training.earlyStopping": {}},
        "spec.training.earlyStopping",
    ),
    (
        "early stopping of a regression by accuracy",
        {"spec.training.task": "regression", "spec.training.earlyStopping": {"metric": "validationAccuracy"}},
        "spec.training.earlyStopping.metric",
    ),
    ("no checkpoint", {"spec.checkpoint": ABSENT}, "spec.checkpoint"),
    ("no volume", {"spec.checkpoint.volume": {}}, "spec.checkpoint.volume"),
    (
        "two volumes",
        {"spec.checkpoint.volume": {"claimName": "a", "emptyDir": {}}},
        "spec.checkpoint.volume",
    ),
    (
        "a size that is no quantity",
        {"spec.checkpoint.volume": {"claimTemplate": {"size": "big"}}},
        "spec.checkpoint.volume.claimTemplate.size",
    ),
    ("a folder outside the volume", {"spec.checkpoint.subPath": "a/../../b"}, "spec.checkpoint.subPath"),
    ("an absolute folder", {"spec.checkpoint.subPath": "/etc"}, "spec.checkpoint.subPath"),
    ("one checkpoint only", {"spec.checkpoint.keepLast": 1}, "spec.checkpoint.keepLast"),
    ("never a checkpoint", {"spec.checkpoint.every": {}}, "spec.checkpoint.every"),
    ("no nodes", {"spec.nodes": 0}, "spec.nodes"),
    (
        "two nodes on a volume of one",
        {"spec.nodes": 2, "spec.checkpoint.volume": {"claimTemplate": TEMPLATE}},
        "spec.checkpoint.volume.claimTemplate",
    ),
    (
        "two nodes on a volume that goes with the pod",
        {"spec.nodes": 2, "spec.checkpoint.volume": {"emptyDir": {}}},
        "spec.checkpoint.volume",
    ),
    ("no process", {"spec.processesPerNode": 0}, "spec.processesPerNode"),
    ("processes as text", {"spec.processesPerNode": "many"}, "spec.processesPerNode"),
    ("restarts below zero", {"spec.restart": {"maxRestarts": -1}}, "spec.restart.maxRestarts"),
    (
        "a backoff above its maximum",
        {"spec.restart": {"backoffSeconds": 60, "maxBackoffSeconds": 30}},
        "spec.restart.backoffSeconds",
    ),
    ("no time to save", {"spec.deadlines": {"saveSeconds": 0}}, "spec.deadlines.saveSeconds"),
    ("a variable of torchrun's", {"spec.pod.env": [{"name": "PET_NNODES", "value": "3"}]}, "spec.pod.env[0].name"),
    ("a variable of ours", {"spec.pod.env": [{"name": "TRAININGJOB_RUN", "value": ""}]}, "spec.pod.env[0].name"),
    (
        "a mount over the checkpoints",
        {"spec.pod.volumeMounts": [{"name": "data", "mountPath": "/checkpoints/x"}]},
        "spec.pod.volumeMounts[0].mountPath",
    ),
    (
        "a volume with the name of ours",
        {"spec.pod.volumes": [{"name": "checkpoints", "emptyDir": {}}]},
        "spec.pod.volumes[0].name",
    ),
    ("a volume of nothing", {"spec.pod.volumes": [{"name": "data"}]}, "spec.pod.volumes[0]"),
    ("root", {"spec.pod.securityContext": {"runAsUser": 0}}, "spec.pod.securityContext.runAsUser"),
    ("a host path", {"spec.pod.volumes": [{"name": "h", "hostPath": {"path": "/"}}]}, "spec.pod.volumes[0].hostPath"),
]


@pytest.mark.parametrize(
    ("changes", "field"), [pytest.param(changes, field, id=title) for title, changes, field in BAD_MANIFESTS]
)
def test_a_bad_manifest_is_refused_with_the_fields_path(kubectl: Kubectl, changes: dict[str, Any], field: str) -> None:
    assert field in kubectl.refusal(changed(VALID, changes))


GOOD_MANIFESTS: list[tuple[str, dict[str, Any]]] = [
    ("the smallest", {}),
    ("a script", SCRIPT),
    ("auto processes", {"spec.processesPerNode": "auto"}),
    ("a folder that goes with the pod", {"spec.checkpoint.volume": {"emptyDir": {}}}),
    (
        "two nodes that share",
        {"spec.nodes": 2, "spec.checkpoint.volume": {"claimTemplate": {**TEMPLATE, "accessModes": ["ReadWriteMany"]}}},
    ),
    ("a GPU", {"spec.pod.resources": {"limits": {"nvidia.com/gpu": 1}}}),
    ("another operator's", {"spec.managedBy": "example.com/other"}),
    ("a longest name", {"metadata.name": "a" * 48}),
    (
        "augmented images in MNIST's format",
        {"spec.training.data": {"path": "/data", "format": "idx", "augmentation": {"cropPadding": 2}}},
    ),
    ("a stream from a bucket", {"spec.training.data.path": "s3://b/part-*", "spec.training.data.loading": "stream"}),
    ("a time series", {"spec.training.data.sequence": {"length": 24, "horizon": 0}}),
    (
        "a cnn over MNIST's files",
        {"spec.training.data": {"path": "/data", "format": "idx"}, "spec.training.model": {"type": "cnn"}},
    ),
    (
        "a network of one's own, exported",
        {
            "spec.training.model": {"type": "custom", "entrypoint": "my.networks:build", "activation": "gelu"},
            "spec.training.export": {"formats": ["onnx", "torchExport"], "path": "/models/mine"},
        },
    ),
    (
        "synthetic data",
        {"spec.training.data": {"format": "synthetic", "synthetic": {"samples": 10}, "validation": {"fraction": 0.1}}},
    ),
]


@pytest.mark.parametrize("changes", [pytest.param(changes, id=title) for title, changes in GOOD_MANIFESTS])
def test_a_good_manifest_is_accepted_and_nothing_is_added_to_it(kubectl: Kubectl, changes: dict[str, Any]) -> None:
    job = changed(VALID, changes)
    stored = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(job))
    assert json.loads(stored)["spec"] == job["spec"]


NEVER = "cannot change"
SUSPENDED_ONLY = "only while the job is suspended"

CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    ("suspend is free", {}, {"spec.suspend": True}, None),
    ("epochs may grow", {}, {"spec.training.epochs": 11}, None),
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
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "change", "refused"), [pytest.param(b, c, r, id=title) for title, b, c, r in CHANGES]
)
def test_what_may_change_when(
    kubectl: Kubectl, before: dict[str, Any], change: dict[str, Any], refused: str | None
) -> None:
    # A claim that no pod will ever find: the job stays where it is.
    first = changed(VALID, {**before, "metadata.name": "changing", "spec.managedBy": ABSENT})
    kubectl.run("delete", "trainingjob", "changing", "--ignore-not-found")
    kubectl("create", "-f", "-", stdin=json.dumps(first))
    after = changed(first, change)
    done = kubectl.run("replace", "-f", "-", stdin=json.dumps(after))
    if refused is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0
        assert refused in done.stderr
