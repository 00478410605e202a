"""A choice by `type`, some of whose fields belong to some types only: one table for CEL and for Python."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from trainingjob_api.base import Model, rule

Belonging = Mapping[str, tuple[str, ...]]
"""Field as it is written in a manifest -> the types it belongs to."""


class Choice(Model):
    """Has a field `type`. The table is checked here and, through `belonging`, by the API server."""

    belongs: ClassVar[Belonging] = {}

    @model_validator(mode="after")
    def _fields_belong_to_type(self) -> "Choice":
        fields = type(self).model_fields
        given: dict[str, Any] = {field.alias or name: getattr(self, name) for name, field in fields.items()}
        for field, types in self.belongs.items():
            if given.get(field) is not None and given["type"] not in types:
                raise ValueError(_message(field, types))
        return self


def belonging(table: Belonging, default: str | None = None) -> list[dict[str, str]]:
    """The CEL rules of a table; default: the type that is meant when none is given."""
    type_ = f"(has(self.type) ? self.type : '{default}')" if default else "self.type"
    return [
        rule(f"!has(self.{field}) || {type_} in {list(types)}", _message(field, types), f".{field}")
        for field, types in table.items()
    ]


def _message(field: str, types: tuple[str, ...]) -> str:
    return f"{field} belongs to type {' or '.join(types)}"
