"""What is kept of objects: of a TrainingJob its JSON, read again when a pass needs it; of what cannot be read, why."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import Any, Self

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from training_operator.children import ObjectMeta, read_metadata
from trainingjob_api.contract import JOB_NAME_LABEL
from trainingjob_api.resource import Metadata, TrainingJob
from trainingjob_api.status import TrainingJobStatus

Key = tuple[str, str]
"""Namespace and name of a TrainingJob."""

Raw = dict[str, Any]

READ_AT_ONCE = 256
"""TrainingJobs that are kept as models: more than are worked on at the same time, and few beside all that there are."""


@dataclass(frozen=True)
class Unreadable:
    """A TrainingJob that the models refuse although the API server let it through."""

    metadata: ObjectMeta
    generation: int
    suspend: bool
    """What its spec says about that, whatever else it says."""
    status: TrainingJobStatus | None
    problem: str

    @property
    def key(self) -> Key:
        return self.metadata.namespace, self.metadata.name


def read_training_job(raw: Raw) -> TrainingJob | Unreadable:
    try:
        return TrainingJob.model_validate(raw)
    except Exception as error:
        return Unreadable(
            metadata=_readable_metadata(raw),
            generation=int(raw["metadata"].get("generation", 0)),
            suspend=isinstance(raw.get("spec"), dict) and raw["spec"].get("suspend") is True,
            status=_readable_status(raw.get("status")),
            problem=problem_of(error),
        )


def _readable_metadata(raw: Raw) -> ObjectMeta:
    with suppress(ValidationError):
        return read_metadata(raw)
    return read_metadata({"metadata": {name: raw["metadata"][name] for name in ("name", "namespace", *_IDENTITY)}})


def _readable_status(raw: Any) -> TrainingJobStatus | None:
    try:
        return TrainingJobStatus.model_validate(raw or {})
    except ValidationError:
        return None


def problem_of(error: Exception) -> str:
    """What a model did not like, for a person."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5])


_IDENTITY = ("uid", "resourceVersion")
_USED_METADATA = {field.alias or name for name, field in Metadata.model_fields.items()} - {"resourceVersion"}


@dataclass(frozen=True, slots=True)
class Record:
    """A TrainingJob as it was last seen; two are equal when nothing that is used differs."""

    key: Key
    uid: str
    version: int = field(compare=False)
    text: bytes

    @classmethod
    def of(cls, raw: Raw) -> Self:
        metadata = raw["metadata"]
        used = {name: value for name, value in metadata.items() if name in _USED_METADATA}
        text = to_json({"metadata": used, "spec": raw.get("spec"), "status": raw.get("status") or {}})
        key = intern(metadata["namespace"]), metadata["name"]
        return cls(key, metadata["uid"], int(metadata["resourceVersion"]), text)

    def read(self) -> TrainingJob | Unreadable:
        return _read(self.text, self.version)

    def read_status(self) -> TrainingJobStatus | None:
        """It alone, in a quarter of the time; None: it cannot be read."""
        return _readable_status(from_json(self.text)["status"])


@lru_cache(READ_AT_ONCE)
def _read(text: bytes, version: int) -> TrainingJob | Unreadable:
    raw: Raw = from_json(text)
    raw["metadata"]["resourceVersion"] = str(version)
    return read_training_job(raw)


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
        return cls(name, child_key(raw), metadata["uid"], int(metadata["resourceVersion"]), problem_of(error))

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def child_key(raw: Raw) -> Key:
    """Of the TrainingJob that the label names."""
    metadata = raw["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(JOB_NAME_LABEL, "")
