"""Few rows of a table in which every two values of different columns meet, or in which every value occurs."""

import random
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Row = dict[str, int]
_TRIES = 40


def pairwise(columns: Mapping[str, Sequence[Any]], seed: int = 1) -> list[dict[str, Any]]:
    """Rows column -> value; greedy: each next one is the best of a few that begin with a pair still missing."""
    chance, sizes = random.Random(seed), {name: len(values) for name, values in columns.items()}
    missing = {
        ((one, i), (other, j))
        for one, other in combinations(sorted(columns), 2)
        for i in range(sizes[one])
        for j in range(sizes[other])
    }
    rows: list[Row] = []
    while missing:
        fixed = dict(min(missing))
        tries = [{name: chance.randrange(size) for name, size in sizes.items()} | fixed for _ in range(_TRIES)]
        best = max(tries, key=lambda row: len(missing & _pairs(row)))
        missing -= _pairs(best)
        rows.append(best)
    return [{name: columns[name][number] for name, number in row.items()} for row in rows]


def each_value_once(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Few of the rows, in which every value of every column occurs; greedy."""
    missing = {(name, repr(value)) for row in rows for name, value in row.items()}
    chosen: list[dict[str, Any]] = []
    while missing:
        best = max(rows, key=lambda row: len(missing & _values(row)))
        missing -= _values(best)
        chosen.append(best)
    return chosen


def _values(row: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(name, repr(value)) for name, value in row.items()}


def _pairs(row: Row) -> set[tuple[tuple[str, int], tuple[str, int]]]:
    return set(combinations(sorted(row.items()), 2))  # type: ignore[arg-type]
