"""What is compared: TrainingJobs, and Indexed Jobs whose pods are the same but for their labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bench.operator.kubelet import SECONDS

from training_operator.builders.job import build_job
from trainingjob_api.resource import TrainingJob

Object = dict[str, Any]

RECIPE: Object = {
    "task": "classification",
    "epochs": 10,
    "batchSize": 32,
    "data": {"path": "/data/train.csv", "target": "y", "validation": {"fraction": 0.2}},
    "model": {"type": "mlp", "hiddenUnits": [64, 64], "dropout": 0.1},
    "optimizer": {"type": "adamw", "learningRate": 0.01, "weightDecay": 0.01},
    "seed": 1,
}


@dataclass(frozen=True)
class Arm:
    """One kind of object that makes pods."""

    name: str
    plural: str
    make: Callable[[str, int, float], Object]
    """By name, number of pods, and how many seconds these run."""
    job_of: Callable[[str], str]
    """The name of the Job that owns the pods."""

    def path(self, namespace: str) -> str:
        return f"{self.plural.rpartition('/')[0]}/namespaces/{namespace}/{self.plural.rpartition('/')[2]}"


def training_job(name: str, nodes: int, seconds: float) -> Object:
    return {
        "apiVersion": "trainingjob.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": {
            "training": RECIPE,
            "nodes": nodes,
            "checkpoint": {"volume": {"emptyDir": {}} if nodes == 1 else {"claimName": "shared"}},
            "pod": {
                "annotations": {SECONDS: str(seconds)},
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1m", "memory": "1Mi"}},
                "volumes": [{"name": "data", "configMap": {"name": "data"}}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
        },
    }


def bare_job(name: str, nodes: int, seconds: float) -> Object:
    raw = training_job(name, nodes, seconds)
    raw["metadata"] |= {"namespace": "any", "uid": "11111111-2222-3333-4444-555555555555"}
    job = build_job(TrainingJob.model_validate(raw), 1, "trainer:bench")
    template = job["spec"]["template"]
    template["metadata"] = {"annotations": {SECONDS: str(seconds)}}
    template["spec"].pop("subdomain", None)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": job["spec"]}


BARE = Arm("bare Indexed Jobs", "/apis/batch/v1/jobs", bare_job, lambda name: name)
OURS = Arm("TrainingJobs", "/apis/trainingjob.dev/v1alpha1/trainingjobs", training_job, lambda name: f"{name}-1")


def has_succeeded(raw: Object) -> bool:
    conditions = raw.get("status", {}).get("conditions", ())
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)


def has_failed(raw: Object) -> bool:
    conditions = raw.get("status", {}).get("conditions", ())
    return any(one["type"] == "Failed" and one["status"] == "True" for one in conditions)
