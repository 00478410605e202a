"""What is kept of objects: of a TrainingJob its JSON, read again when a pass needs it; of what cannot be read, why."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import Any, Self

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from trainingjob_api.contract import JOB_NAME_LABEL, RESTART_ANNOTATION
from trainingjob_api.reading import problems_of, read_training_job
from trainingjob_api.resource import Metadata, TrainingJob
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import TrainingJobStatus

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name of a TrainingJob."""

Raw = dict[str, Any]

READ_AT_ONCE = 256
"""TrainingJobs that are kept as models: more than are worked on at the same time, and few beside all that there are."""


_USED_METADATA = {field.alias or name for name, field in Metadata.model_fields.items()} - {
    "resourceVersion",
    "annotations",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A TrainingJob as it was last seen, as JSON; two are equal when nothing that is used differs."""

    key: Key
    uid: str
    version: int = field(compare=False)
    metadata: bytes
    spec: bytes
    status: bytes

    @classmethod
    def of(cls, raw: Raw) -> Self:
        metadata = raw["metadata"]
        used = {name: value for name, value in metadata.items() if name in _USED_METADATA}
        if stamp := (metadata.get("annotations") or {}).get(RESTART_ANNOTATION):
            used["annotations"] = {RESTART_ANNOTATION: stamp}
        key = intern(metadata["namespace"]), metadata["name"]
        parts = used, raw.get("spec"), raw.get("status") or {}
        return cls(key, metadata["uid"], int(metadata["resourceVersion"]), *map(to_json, parts))

    def read(self) -> TrainingJob | None:
        """None: what must not be guessed of it cannot be read."""
        return _read(self.metadata, self.spec, self.status, self.version)

    def read_status(self) -> TrainingJobStatus | None:
        """It alone, in a quarter of the time; None: it cannot be read."""
        with suppress(ValidationError):
            return _read_status(self.status)
        return None


@lru_cache(READ_AT_ONCE)
def _read(metadata: bytes, spec: bytes, status: bytes, version: int) -> TrainingJob | None:
    used: Raw = from_json(metadata) | {"resourceVersion": str(version)}
    try:
        return _read_in_parts(used, spec, status)
    except Exception as error:
        name = f"{used.get('namespace')}/{used.get('name')}"
        logger.warning("%s cannot be read, and is left alone: %s", name, problems_of(error))
        return None


def _read_in_parts(metadata: Raw, spec: bytes, status: bytes) -> TrainingJob:
    """A spec seldom changes, and a status is read as soon as it is seen: of most versions only the metadata is new."""
    with suppress(ValidationError):
        read = {"spec": _read_spec(spec), "status": _read_status(status)}
        return TrainingJob.model_validate({"metadata": metadata, **read})
    return read_training_job({"metadata": metadata, "spec": from_json(spec), "status": from_json(status)})


@lru_cache(READ_AT_ONCE)
def _read_spec(text: bytes) -> TrainingJobSpec:
    return TrainingJobSpec.model_validate(from_json(text))


@lru_cache(READ_AT_ONCE)
def _read_status(text: bytes) -> TrainingJobStatus:
    return TrainingJobStatus.model_validate(from_json(text))


@dataclass(frozen=True, slots=True)
class UnreadableChild:
    """A Job or a pod that is there, and of which nothing more is known."""

    name: str
    """With its kind."""
    key: Key
    uid: str
    version: int = field(compare=False)
    problem: str

    @classmethod
    def of(cls, kind: str, raw: Raw, error: Exception) -> Self:
        metadata = raw["metadata"]
        name = f"{kind} {metadata['name']}"
        return cls(name, child_key(raw), metadata["uid"], int(metadata["resourceVersion"]), problems_of(error))

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def child_key(raw: Raw) -> Key:
    """Of the TrainingJob that the label names."""
    metadata = raw["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(JOB_NAME_LABEL, "")
