"""What a cluster would refuse is refused without one as well: models that read strictly, and words for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from trainer.errors import UserError
from trainingjob_api.contract import API_VERSION, KIND
from trainingjob_api.resource import TrainingJob
from trainingjob_api.schema import structural_schema

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}


def admitted(document: Mapping[str, Any], source: object) -> TrainingJob:
    """The job that a document describes; a UserError names every field that is wrong. source: where it came from."""
    lines = list(_problems(document))
    if not lines:
        try:
            return TrainingJob.model_validate_json(json.dumps(document), strict=True, by_alias=True, by_name=False)
        except ValidationError as error:
            lines = [_line(problem) for problem in error.errors()]
    raise UserError("\n".join([f"{source}:", *(f"  {line}" for line in lines)]))


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    """What the models let pass: they fill in what is missing."""
    if document.get("apiVersion") != API_VERSION:
        yield f"apiVersion: must be {API_VERSION}"
    for path in _nulls(document.get("spec"), ("spec",)):
        yield f"{_shown(path)}: must not be null: give a value, or leave the field out"


def _nulls(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if value is None and len(path) > 1:
        yield path
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from _nulls(child, (*path, key))


def _line(problem: ErrorDetails) -> str:
    path = problem["loc"]
    if problem["type"] == "extra_forbidden":
        return f'unknown field "{_shown(path)}"{_meant(path)}'
    return f"{_shown(path) or KIND}: {_words(problem)}"


def _words(problem: ErrorDetails) -> str:
    kind, value = problem["type"], problem["input"]
    if kind == "missing":
        return "is required"
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, not {json.dumps(value)}{_quotes(kind, value)}"
    return problem["msg"].removeprefix("Value error, ")


def _quotes(kind: str, value: Any) -> str:
    """YAML takes y, no, 1e-3 and the like for something else than a word."""
    if kind == "string_type" and isinstance(value, bool | int | float):
        return ": put it in quotes"
    is_number = kind in ("int_type", "float_type") and isinstance(value, str)
    return ": take the quotes away" if is_number and value.strip("-+.0123456789e") == "" else ""


def _shown(path: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _meant(path: Sequence[str | int]) -> str:
    """What a field that does not exist may have been meant to be."""
    schema = structural_schema()
    for part in path[:-1]:
        schema = schema.get("items", {}) if isinstance(part, int) else schema.get("properties", {}).get(part, {})
    by_letters = {name.lower(): name for name in schema.get("properties", {})}
    found = get_close_matches(str(path[-1]).replace("_", "").lower(), by_letters, n=1)
    return f": did you mean {by_letters[found[0]]}?" if found else ""
