"""What Jobs and pods have in common: metadata and conditions, of which only what decisions need is kept.

A TrainingJob's own metadata is another model, `trainingjob_api.resource.Metadata`: that one is read from people's files
too and keeps every label, this one is small, and two are equal when nothing that is used differs.
"""

import sys
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from trainingjob_api.base import Time
from trainingjob_api.contract import ATTEMPT_LABEL, DIGEST_ANNOTATION, JOB_NAME_LABEL, QUEUE_LABEL, STOP_ANNOTATION

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field, Field))
def value(kind: type[T]) -> type[T]:
    """A frozen part of an object: it takes a fifth of a model's memory, and two are equal when their fields are."""
    config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    return cast("type[T]", dataclass(frozen=True, slots=True, kw_only=True, config=config)(kind))


Word = Annotated[str, AfterValidator(sys.intern)]
"""A string that many objects share."""


def _only(used: frozenset[str]) -> Any:
    """Of a mapping, the entries that are used."""
    return BeforeValidator(lambda given: {key: given[key] for key in used & (given or {}).keys()})


def of_types(*used: str) -> Any:
    """Of a list of conditions, those that are used."""
    return BeforeValidator(lambda given: [one for one in given if isinstance(one, Condition) or one["type"] in used])


Labels = Annotated[
    Mapping[Word, Word], _only(frozenset({JOB_NAME_LABEL, ATTEMPT_LABEL, INDEX_LABEL, JOB_UID_LABEL, QUEUE_LABEL}))
]
Annotations = Annotated[Mapping[Word, str], _only(frozenset({DIGEST_ANNOTATION, STOP_ANNOTATION}))]


@value
class Owner:
    kind: Word
    uid: Word
    controller: bool = False


@value
class ObjectMeta:
    """What we use of a child's metadata."""

    name: str
    namespace: Word
    uid: str
    resource_version: str = field(compare=False)
    labels: Labels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None

    def owner_of_kind(self, kind: str) -> str | None:
        """UID of the controller of this kind, None when another or nobody controls the object."""
        return next((o.uid for o in self.owner_references if o.controller and o.kind == kind), None)


@value
class Condition:
    type: Word
    status: Word
    reason: Word = ""
    message: str = ""


def condition(conditions: tuple[Condition, ...], type: str) -> Condition | None:
    return next((c for c in conditions if c.type == type), None)


def true_condition(conditions: tuple[Condition, ...], type: str) -> Condition | None:
    """The condition if it is True."""
    found = condition(conditions, type)
    return found if found is not None and found.status == "True" else None


@value
class Child:
    """What Jobs and pods have in common."""

    metadata: ObjectMeta

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def version(self) -> int:
        return int(self.metadata.resource_version)

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name of the TrainingJob that the label names."""
        return self.metadata.namespace, self.metadata.labels.get(JOB_NAME_LABEL, "")

    @property
    def attempt(self) -> int:
        """The attempt that the label names; 0 when it names none."""
        label = self.metadata.labels.get(ATTEMPT_LABEL, "")
        return int(label) if label.isdecimal() else 0

    @property
    def is_being_deleted(self) -> bool:
        return self.metadata.deletion_timestamp is not None
