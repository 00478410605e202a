"""What all children share: labels, owner, names; and the digest that tells whether an attempt is outdated."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from training_operator.records import READ_AT_ONCE
from trainingjob_api.contract import (
    API_VERSION,
    ATTEMPT_LABEL,
    JOB_NAME_LABEL,
    KIND,
    QUEUE_LABEL,
    QUEUE_PRIORITY_LABEL,
)
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import TrainingJobSpec

Manifest = dict[str, Any]

# What may change without a new attempt: it is not in the pods.
_NOT_IN_PODS: Any = {
    "suspend": True,
    "managed_by": True,
    "restart": True,
    "ttl_seconds_after_finished": True,
    "deadlines": {"total_seconds": True},
}


def labels(job: TrainingJob, attempt: int | None = None) -> dict[str, str]:
    """Of every child; attempt is None for what all attempts share."""
    shared = {
        "app.kubernetes.io/managed-by": "trainingjob-operator",
        "app.kubernetes.io/name": "trainer",
        JOB_NAME_LABEL: job.metadata.name,
    }
    return shared if attempt is None else {**shared, ATTEMPT_LABEL: str(attempt)}


def queue_labels(job: TrainingJob) -> dict[str, str]:
    """What a queue finds an attempt by: from the spec, else what the TrainingJob itself is labelled with."""
    queue, own = job.spec.queue, job.metadata.labels
    if queue is None:
        return {label: own[label] for label in (QUEUE_LABEL, QUEUE_PRIORITY_LABEL) if label in own}
    priority = {QUEUE_PRIORITY_LABEL: queue.priority_class} if queue.priority_class else {}
    return {QUEUE_LABEL: queue.name, **priority}


def metadata(job: TrainingJob, name: str, attempt: int | None = None, *, owned: bool = True) -> Manifest:
    """Name, namespace, labels, and the owner with which the child goes."""
    owner = {"ownerReferences": [owner_reference(job)]} if owned else {}
    return {"name": name, "namespace": job.metadata.namespace, "labels": labels(job, attempt), **owner}


def owner_reference(job: TrainingJob) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def spec_digest(spec: TrainingJobSpec, restarted_at: str = "") -> str:
    """Of all that goes into the pods, as it was written: neither a release's new defaults nor its image change it.

    A person who asks for a restart changes it, too.
    """
    return _digest(_Itself(spec), restarted_at)


@dataclass(frozen=True, eq=False)
class _Itself:
    """A spec that equals nothing but itself: it never changes, and to compare two would take longer than a digest."""

    spec: TrainingJobSpec

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.spec is self.spec

    def __hash__(self) -> int:
        return id(self.spec)


@lru_cache(READ_AT_ONCE)
def _digest(of: _Itself, restarted_at: str) -> str:
    written = of.spec.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_none=True, exclude=_NOT_IN_PODS
    )
    # `deadlines: {totalSeconds: 5}` and no deadlines at all are the same to the pods.
    meaning = {key: value for key, value in written.items() if value != {}}
    if restarted_at:
        meaning["restartedAt"] = restarted_at
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]
