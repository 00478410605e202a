"""Specs that the API server and `trainer --config` must both refuse, or both accept: one table for the two."""

from typing import Any

from support.manifests import ABSENT

TEMPLATE = {"size": "1Gi"}
SCRIPT = {"spec.training": ABSENT, "spec.script": {"path": "/code/train.py", "args": ["--rate", "0.1"]}}

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
    *[
        (f"the amount {amount!r}", {"spec.pod.resources": {"limits": {"cpu": amount}}}, "spec.pod.resources.limits.cpu")
        for amount in ("abc", "4K", "-1", -0.5, True)
    ],
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
    *[
        (f"the amount {amount!r}", {"spec.pod.resources": {"limits": {"cpu": amount}}})
        for amount in (0.5, 2, ".5", "129e6", "1.5Gi", "1500m", "100u", "+1")
    ],
    ("a size as a number", {"spec.checkpoint.volume": {"claimTemplate": {"size": 1_000_000_000}}}),
    ("fields that are null", {"spec.training.epochs": None, "spec.pod.resources": {"limits": {"cpu": None}}}),
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
