"""Events: what a person would ask about, once per transition; the name makes writing one twice harmless."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from training_operator.builders.metadata import Manifest
from trainingjob_api.contract import API_VERSION, KIND
from trainingjob_api.resource import TrainingJob


@dataclass(frozen=True)
class Note:
    """One thing that happened; about sets it apart from others of the same reason in the same attempt."""

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"
    about: str = ""


def build_event(job: TrainingJob, attempt: int, note: Note, now: datetime) -> Manifest:
    metadata = job.metadata
    identity = f"{metadata.uid}/{attempt}/{note.reason}/{note.about}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata.name}.{digest}", "namespace": metadata.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "type": note.type,
        "reason": note.reason,
        "message": note.message[:1024],
        "source": {"component": "trainingjob-operator"},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
