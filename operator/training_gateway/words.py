"""The API's words and the manifest's: snake_case here, camelCase there, and a few that are called otherwise."""

import re
from collections.abc import Mapping
from typing import Any

_SNAKE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)+$")
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_PEOPLES_OWN_NAMES = frozenset({"limits", "requests", "nodeSelector", "labels", "annotations"})
"""Maps whose keys are not words of ours."""


def camel(name: str) -> str:
    """hidden_units -> hiddenUnits; anything that is not snake_case stays as it is."""
    if not _SNAKE.match(name):
        return name
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def snake(name: str) -> str:
    """hiddenUnits -> hidden_units."""
    return _HUMP.sub(lambda hump: f"_{hump[1].lower()}", name)


def snake_path(path: str) -> str:
    return ".".join(snake(part) for part in path.split("."))


def camel_keys(value: Any) -> Any:
    """The same value with the manifest's keys, all the way down."""
    if isinstance(value, list):
        return [camel_keys(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    named = {camel(key): each for key, each in value.items()}
    return {key: each if key in _PEOPLES_OWN_NAMES else camel_keys(each) for key, each in named.items()}
