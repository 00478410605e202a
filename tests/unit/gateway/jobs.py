"""TrainingJobs as the API server shows them."""

from typing import Any

from training_gateway.views import View
from trainingjob_client.job import Change, Job

RECIPE = {
    "task": "classification",
    "epochs": 10,
    "data": {"format": "synthetic", "validation": {"fraction": 0.2}},
    "model": {"type": "mlp"},
}


def raw(name: str = "job", version: int = 5, uid: str = "u1", **changes: Any) -> dict[str, Any]:
    """changes: namespace, labels, annotations, created, spec, status."""
    metadata = {
        "name": name,
        "namespace": changes.get("namespace", "team"),
        "uid": uid,
        "resourceVersion": str(version),
        "creationTimestamp": changes.get("created", "2026-01-31T12:00:00Z"),
        "labels": changes.get("labels", {}),
        "annotations": changes.get("annotations", {}),
    }
    spec = {"training": RECIPE, "checkpoint": {"volume": {"emptyDir": {}}}, **changes.get("spec", {})}
    made = {"apiVersion": "trainingjob.dev/v1alpha1", "kind": "TrainingJob", "metadata": metadata, "spec": spec}
    return {**made, "status": changes["status"]} if "status" in changes else made


def view(name: str = "job", **changes: Any) -> View:
    return View(Job(raw(name, **changes)))


def changed(type: Any, **changes: Any) -> Change:
    return Change(type, Job(raw(**changes)))


def condition(type: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": type,
        "status": "True",
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-31T12:00:00Z",
    }


def at_epoch(epoch: int, phase: str = "Running", **others: Any) -> dict[str, Any]:
    """A status."""
    latest = {"epoch": epoch, "trainLoss": 1 / (epoch + 1), "trainAccuracy": 0.5, "validationLoss": 2 / (epoch + 1)}
    progress = {
        "epoch": epoch,
        "epochs": 10,
        "step": epoch * 10,
        "epochText": f"{epoch}/10",
        "percent": epoch * 10,
        "updateTime": "2026-01-31T12:00:00Z",
    }
    return {"phase": phase, "progress": progress, "metrics": {"latest": latest, "best": latest}, **others}


def over(reason: str = "Completed", epoch: int = 10) -> dict[str, Any]:
    return at_epoch(epoch, "Succeeded", conditions=[condition("Complete", reason)])
