"""TrainingJobs as the API server shows them: read whole, or in part where this release does not understand all of it.

A field that is newer than who reads must keep nobody from pausing a job, and no end from being recorded.
"""

from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from trainingjob_api.resource import Metadata, TrainingJob
from trainingjob_api.spec import Checkpoint, CheckpointVolume, TrainingJobSpec
from trainingjob_api.status import TrainingJobStatus

_Model = TypeVar("_Model", bound=BaseModel)


class ReadInPart(TrainingJob):
    """A TrainingJob that the models refuse although the API server let it through; default is what they refuse."""

    problem: str


_INDISPENSABLE = {("status", "attempt"), ("status", "job")}
"""Without these an attempt's number could be given out twice."""


def read_training_job(raw: dict[str, Any]) -> TrainingJob:
    """The TrainingJob; ValidationError if what must not be guessed cannot be read."""
    try:
        return TrainingJob.model_validate(raw)
    except ValidationError as error:
        if any(each["loc"][:2] in _INDISPENSABLE for each in error.errors()):
            raise
        return _in_part(raw, error)


def problem_of(job: TrainingJob) -> str | None:
    """What this release does not understand of it."""
    return job.problem if isinstance(job, ReadInPart) else None


def problems_of(error: Exception) -> str:
    """What a model did not like, for a person."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5])


def _in_part(raw: dict[str, Any], error: ValidationError) -> ReadInPart:
    return ReadInPart.model_construct(
        metadata=_leniently(Metadata, raw["metadata"]),
        spec=_spec(raw.get("spec") or {}),
        status=_leniently(TrainingJobStatus, raw.get("status") or {}),
        problem=problems_of(error),
    )


def _spec(raw: Any) -> TrainingJobSpec:
    try:
        return _leniently(TrainingJobSpec, raw)
    except ValidationError:
        nowhere = Checkpoint.model_construct(volume=CheckpointVolume.model_construct())
        return TrainingJobSpec.model_construct(suspend=raw.get("suspend") is True, checkpoint=nowhere)


def _leniently(model: type[_Model], raw: Any) -> _Model:
    """Each field that can be read, and the default of every other; ValidationError if one without default cannot."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        given = raw if isinstance(raw, dict) else {}
        values = {
            name: value
            for name, field in model.model_fields.items()
            for value in _value(field, given.get(field.alias or name))
        }
        if any(field.is_required() and name not in values for name, field in model.model_fields.items()):
            raise error
        return model.model_construct(**values)


def _value(field: FieldInfo, raw: Any) -> Iterator[Any]:
    """The field's value, or nothing."""
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    inner = next((kind for kind in kinds if issubclass(kind, BaseModel)), None)
    try:
        if raw is None:
            return
        if inner is not None and isinstance(raw, list):
            yield [item for each in raw for item in _readable(inner, each)]
        elif inner is not None:
            yield _leniently(inner, raw)
        else:
            kind: Any = field.annotation
            yield TypeAdapter(kind).validate_python(raw)
    except ValidationError:
        return


def _readable(model: type[_Model], raw: Any) -> Iterator[_Model]:
    try:
        yield model.model_validate(raw)
    except ValidationError:
        return
