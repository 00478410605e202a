"""TrainingJob manifests for tests: a small valid one, and changes to it by dotted path."""

import copy
from typing import Any

ABSENT = object()

Manifest = dict[str, Any]

VALID: Manifest = {
    "apiVersion": "trainingjob.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "job"},
    "spec": {
        "training": {
            "task": "classification",
            "epochs": 10,
            "batchSize": 32,
            "data": {"path": "/data/train.csv", "target": "y", "validation": {"fraction": 0.2}},
            "model": {"type": "mlp", "hiddenUnits": [8]},
            "optimizer": {"type": "adamw", "learningRate": 0.01},
            "seed": 1,
        },
        "checkpoint": {"volume": {"claimName": "claim"}},
        "pod": {
            "volumes": [{"name": "data", "configMap": {"name": "data"}}],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
    },
}


def changed(manifest: Manifest, changes: dict[str, Any]) -> Manifest:
    """A copy in which each dotted path has its new value; ABSENT removes the field."""
    result = copy.deepcopy(manifest)
    for path, value in changes.items():
        *parents, last = path.split(".")
        target = result
        for parent in parents:
            target = target.setdefault(parent, {})
        if value is ABSENT:
            target.pop(last, None)
        else:
            target[last] = value
    return result


def manifest(name: str = "job", **spec_changes: Any) -> Manifest:
    """A valid manifest; keywords are paths below spec with '__' for '.': training__epochs=3."""
    changes = {f"spec.{path.replace('__', '.')}": value for path, value in spec_changes.items()}
    return changed(VALID, {"metadata.name": name, **changes})
