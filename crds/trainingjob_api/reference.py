"""The CRD's schema -> docs/reference.md: every field with its type, limits, default and what it means."""

from collections.abc import Iterator
from typing import Any

from trainingjob_api.contract import ExitCode
from trainingjob_api.history import TrainingHistory
from trainingjob_api.progress import EXIT_CODE_OF
from trainingjob_api.quantity import PATTERN as QUANTITY
from trainingjob_api.schema import structural_schema
from trainingjob_api.status import ConditionType, Phase, Reason

Schema = dict[str, Any]

_ESCAPES = str.maketrans({"|": "\\|", "<": "&lt;", "\n": " "})
_HEAD = """\
# Reference

Generated from the models by `make reference`; do not edit. `kubectl explain tj.spec --recursive` shows the same.
"""


def markdown() -> str:
    """The whole page."""
    properties = structural_schema()["properties"]
    return "\n".join(
        [
            _HEAD,
            "## spec\n",
            *_table(properties["spec"]),
            "\n## status\n",
            *_table(properties["status"]),
            "\n## Phases\n",
            "Those of this release; another may have more. " + ", ".join(f"`{each}`" for each in Phase),
            "\n## Conditions\n",
            ", ".join(f"`{each}`" for each in ConditionType),
            "\nTheir reasons, of which another release may have more: " + ", ".join(f"`{each}`" for each in Reason),
            "\n## Exit codes of the trainer\n",
            "| code | outcomes |\n|---|---|",
            *_exit_codes(),
            "\n## TrainingHistory\n",
            "Beside each TrainingJob, under its name: [history.md](history.md).\n",
            *_table(_own(structural_schema(TrainingHistory))),
            "",
        ]
    )


def _table(schema: Schema) -> Iterator[str]:
    yield "| field | type | |\n|---|---|---|"
    for path, field, required in _fields(schema):
        yield f"| `{path}` | {_type(field)} | {_described(field, required)} |"


def _own(schema: Schema) -> Schema:
    """Without what every object has."""
    shared = {"apiVersion", "kind", "metadata"}
    return {**schema, "properties": {n: field for n, field in schema["properties"].items() if n not in shared}}


def _fields(schema: Schema, parent: str = "") -> Iterator[tuple[str, Schema, bool]]:
    for name, field in schema.get("properties", {}).items():
        path = f"{parent}.{name}" if parent else name
        yield path, field, name in schema.get("required", [])
        inner = field.get("items", field)
        yield from _fields(inner, f"{path}[]" if "items" in field else path)


def _type(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if field.get("pattern") == QUANTITY:
        return "quantity"
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"]) if len(field["enum"]) < 12 else "string"
    kind = field.get("type", "object")
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return "map"
    return f"{kind}{_limits(field)}"


def _limits(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is None:
        return ""
    return f" ≥ {low:g}" if high is None else f" {_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _described(field: Schema, required: bool) -> str:
    rules = [rule["message"] for rule in field.get("x-kubernetes-validations", [])]
    parts = ["**Required.**" if required else "", field.get("description", ""), *(f"({rule})" for rule in rules)]
    return " ".join(part for part in parts if part).translate(_ESCAPES)


def _exit_codes() -> Iterator[str]:
    for code in ExitCode:
        outcomes = ", ".join(f"`{outcome}`" for outcome, its_code in EXIT_CODE_OF.items() if its_code == code)
        yield f"| {code.value} | {outcomes} |"
