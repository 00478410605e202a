"""What a CRD's schema knows, and what an object uses of it."""

from collections.abc import Iterator
from typing import Any

from delivery.programs import Object


def known(schema: Object, path: str = "") -> Iterator[str]:
    """Every field of a schema, as spec.pod.env[].name."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from known(inner, f"{path}.{name}")
    if isinstance(items := schema.get("items"), dict):
        yield from known(items, f"{path}[]")


def used(value: Any, path: str = "") -> Iterator[str]:
    """Every field that an object has, likewise."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}"
            yield from used(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from used(inner, f"{path}[]")
