"""What a cluster would refuse is refused without one as well: models that read strictly, and words for people."""

import json
from collections.abc import Mapping, Sequence
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
    if document.get("apiVersion") != API_VERSION:  # the models would fill it in
        raise UserError(f"{source}:\n  apiVersion: must be {API_VERSION}")
    text = json.dumps(_without_nulls(document))
    try:
        return TrainingJob.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        lines = [f"  {_line(problem)}" for problem in error.errors()]
        raise UserError("\n".join([f"{source}:", *lines])) from error


def _without_nulls(value: Any) -> Any:
    """As the API server drops fields that are null; in a list it refuses them."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    return [_without_nulls(child) for child in value] if isinstance(value, list) else value


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
