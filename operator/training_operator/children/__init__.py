"""Jobs and pods as the API server shows them, read once into frozen values.

Only what decisions need is kept, so that thousands fit into memory, and so that two values are equal when nothing that
matters differs. Everything after this package asks in plain English.
"""

from typing import Any

from pydantic import TypeAdapter

from training_operator.children.job import Job
from training_operator.children.metadata import Condition, ObjectMeta, true_condition
from training_operator.children.pod import NODE_FORGOT, Pod

__all__ = [
    "NODE_FORGOT",
    "Condition",
    "Job",
    "ObjectMeta",
    "Pod",
    "read_job",
    "read_metadata",
    "read_pod",
    "true_condition",
]

_READ_METADATA, _READ_JOB, _READ_POD = TypeAdapter(ObjectMeta), TypeAdapter(Job), TypeAdapter(Pod)


def read_metadata(raw: dict[str, Any]) -> ObjectMeta:
    return _READ_METADATA.validate_python(raw["metadata"])


def read_job(raw: dict[str, Any]) -> Job:
    return _READ_JOB.validate_python(raw)


def read_pod(raw: dict[str, Any]) -> Pod:
    return _READ_POD.validate_python(raw)
