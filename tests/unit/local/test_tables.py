"""Small pure functions of the node, by table: images, expansion, quantities, fields."""

import sys
from decimal import Decimal

import pytest

from local_cluster.node import quantities
from local_cluster.node.expansion import expand
from local_cluster.node.images import ImageTable, UnknownImageError

TABLE = ImageTable.with_entries({"localhost:5000/mine": "/bin/mine --fast", "pinned:2": "/bin/two"})


@pytest.mark.parametrize(
    ("reference", "entrypoint"),
    [
        ("ghcr.io/trainingjob/trainer:0.1.0", (sys.executable, "-m", "trainer")),
        ("ghcr.io/trainingjob/trainer", (sys.executable, "-m", "trainer")),
        ("ghcr.io/trainingjob/trainer@sha256:abc", (sys.executable, "-m", "trainer")),
        ("ghcr.io/trainingjob/trainer:1@sha256:abc", (sys.executable, "-m", "trainer")),
        ("python:3.12-slim", ()),
        ("docker.io/library/python:3.12", ()),
        ("local/shell", ("/bin/sh",)),
        ("localhost:5000/mine:7", ("/bin/mine", "--fast")),
        ("localhost:5000/mine", ("/bin/mine", "--fast")),
        ("pinned:2", ("/bin/two",)),
    ],
)
def test_an_image_is_found_by_its_name(reference: str, entrypoint: tuple[str, ...]) -> None:
    assert TABLE.find(reference).entrypoint == entrypoint


@pytest.mark.parametrize("reference", ["pinned:3", "trainer", "example.com/python:3", "localhost:5000/other"])
def test_another_image_is_unknown(reference: str) -> None:
    with pytest.raises(UnknownImageError, match=reference):
        TABLE.find(reference)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "one"),
        ("x$(A)y$(B)z", "xoneytwoz"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$one"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(C)", "$(A)"),
        ("$(A", "$(A"),
        ("$($(A))", "$($(A))"),
        ("$($$)$(", "$($$)$("),
        ("$($$ $(A", "$($ $(A"),
    ],
)
def test_references_are_expanded_once(text: str, expected: str) -> None:
    assert expand(text, {"A": "one", "B": "two", "C": "$(A)"}) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("500m", Decimal("0.5")),
        ("1.5", Decimal("1.5")),
        ("64Mi", 64 * 2**20),
        ("1Gi", 2**30),
        ("1G", 10**9),
        ("1e3", 1000),
        ("2E", 2 * 10**18),
        ("100u", Decimal("0.0001")),
    ],
)
def test_quantities_are_numbers(text: str, value: Decimal | int) -> None:
    assert quantities.parse(text) == value


@pytest.mark.parametrize("text", ["", "Mi", "1 Mi", "1KB", "1e", "one"])
def test_other_texts_are_no_quantities(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("text", "divisor", "expected"), [("1500m", "1", 2), ("1500m", "1m", 1500), ("1Gi", "1Mi", 1024), ("0", "1", 0)]
)
def test_units_are_rounded_up(text: str, divisor: str, expected: int) -> None:
    assert quantities.in_units(text, divisor) == expected
