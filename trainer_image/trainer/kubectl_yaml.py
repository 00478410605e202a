"""YAML as kubectl reads it (YAML 1.1 of Go's yaml.v2, made JSON), so that a file means the same with and without it."""

import re
from math import isfinite
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from trainer.errors import UserError

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_BASES = {"0x": 16, "0b": 2, "0o": 8}
_INTEGER = re.compile(r"([-+]?)(?:(0[xX])([0-9a-fA-F]+)|(0[bB])([01]+)|(0[oO]?)([0-7]+)|([1-9][0-9]*|0))")
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_IN_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PLAIN = "tag:yaml.org,2002:plain"
_MERGE = "tag:yaml.org,2002:merge"


def documents_in(path: Path) -> list[Any]:
    """Of a YAML file."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path} is not UTF-8: row {row} holds the byte 0x{error.object[error.start]:02x}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}") from error


def parse(text: str) -> list[Any]:
    """The documents in a text; YAMLError if it holds something else."""
    return list(yaml.load_all(text, Loader=_Loader))


def plain_value(text: str) -> str | int | float | bool | None:
    """What a word without quotes means; dates stay text, and numbers that are whole are integers, as in JSON."""
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "") if text[0] in "+-0123456789" else text
    if (found := _INTEGER.fullmatch(digits)) and -(2**63) <= (whole := _integer(found)) < 2**63:
        return whole
    if _FRACTION.fullmatch(digits) and isfinite(number := float(digits)):
        return int(number) if number.is_integer() and abs(number) < 1e21 else number
    return text


def _integer(found: re.Match[str]) -> int:
    sign, *prefixed, decimal = found.groups()
    number = int(decimal) if decimal else 0
    for prefix, digits in zip(prefixed[::2], prefixed[1::2], strict=True):
        if prefix is not None:
            number = int(digits, _BASES.get(prefix.lower(), 8))
    return -number if sign == "-" else number


class _Loader(yaml.SafeLoader):
    """Says where a field is given twice, or where a value cannot be one of JSON."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return _MERGE if value == "<<" else _PLAIN
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]

    def construct_plain(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        if _NOT_IN_JSON.fullmatch(node.value):
            raise ConstructorError(problem=f"{node.value} is not a number of JSON", problem_mark=node.start_mark)
        return plain_value(node.value)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise ConstructorError(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:  # type: ignore[override]
        return {_key(key): value for key, value in super().construct_mapping(node, deep).items()}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise ConstructorError(problem=str(error), problem_mark=node.start_mark) from error


def _key(value: Any) -> str:
    """JSON has no others."""
    if isinstance(value, str):
        return value
    if value is None or not isinstance(value, bool | int | float):
        raise ValueError(f"{value!r} cannot be the name of a field")
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


_Loader.add_constructor(_PLAIN, _Loader.construct_plain)
