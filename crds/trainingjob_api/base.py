"""Base models: camelCase on the wire, snake_case in Python, frozen everywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def _whole_utc_seconds(time: datetime) -> datetime:
    """Kubernetes' times have no fractions; a zone is required because a pod's clock is not ours to guess."""
    if time.tzinfo is None:
        raise ValueError("a time needs a zone, such as 2026-01-31T12:00:00Z")
    try:
        return time.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError("a time must be within the years 1 to 9999 in UTC") from None


def _rfc3339(time: datetime) -> str:
    return f"{time.replace(tzinfo=None).isoformat()}Z"  # strftime takes ten times as long


Time = Annotated[
    datetime, AfterValidator(_whole_utc_seconds), PlainSerializer(_rfc3339, return_type=str, when_used="json")
]
"""A point in time as Kubernetes writes it: RFC 3339, UTC, whole seconds."""


Count = Annotated[int, AfterValidator(lambda number: max(0, min(number, 2**63 - 1)))]
"""A number that a program reports: clipped to what the API server can hold, such as the 2^63 epochs of a stream."""


class Model(BaseModel):
    """What a person writes: unknown fields are errors."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, allow_inf_nan=False
    )

    def to_json_object(self) -> dict[str, Any]:
        """The object as it goes over the wire: camelCase, what is unset left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Report(Model):
    """What a program writes: unknown fields are ignored, so that a newer one can talk to an older one."""

    model_config = ConfigDict(extra="ignore")


def rule(expression: str, message: str, path: str | None = None) -> dict[str, str]:
    """One CEL rule for `x-kubernetes-validations`; path is the field that the API server names."""
    return {"rule": expression, "message": message, **({"fieldPath": path} if path else {})}


def rules(*rules: dict[str, str]) -> dict[str, Any]:
    """`json_schema_extra` that carries these CEL rules into the CRD."""
    return {"x-kubernetes-validations": list(rules)}


# The API server compares a whole number with a whole minimum: 0 would pass a minimum of 0.001.
ABOVE_ZERO = rules(rule("self > 0.0", "must be above 0"))


@dataclass(frozen=True)
class NumberOr:
    """A number from 1 to a limit, or a word, which the API server's own schema cannot say."""

    word: str
    limit: int

    @property
    def message(self) -> str:
        return f"must be a number from 1 to {self.limit}, or {self.word}"

    @property
    def schema(self) -> dict[str, Any]:
        number = f"int(self) >= 1 && int(self) <= {self.limit}"
        expression = f"type(self) == int ? ({number}) : string(self) == '{self.word}'"
        return {"x-kubernetes-int-or-string": True, **rules(rule(expression, self.message))}

    def check(self, value: Any) -> Any:
        """As the rule: neither a number in quotes nor true is a number."""
        if value != self.word and not (type(value) is int and 1 <= value <= self.limit):
            raise ValueError(self.message)
        return value


def given(value: float | None, default: float) -> float:
    """A number that a manifest may leave out."""
    return default if value is None else value
