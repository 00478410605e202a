"""Boards drawn without Grafana: numbers, names and places are those of the board's JSON."""

import math
from pathlib import Path

import pytest

from pictures.__main__ import EVERY
from pictures.board import Panel, boards, windows, with_values
from pictures.picture import draw
from pictures.prometheus import Prometheus, Series
from pictures.units import written
from pictures.values import joined
from pictures.view import Range, View, named


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "percentunit", "50%"),
        (0.97561, "percentunit", "97.6%"),
        (90, "s", "1.5 min"),
        (0.0043, "s", "4.3 ms"),
        (0, "s", "0 s"),
        (86_400, "s", "1 d"),
        (3 * 2**20, "bytes", "3 MiB"),
        (1234, "short", "1.23 K"),
        (0.0861, "short", "0.0861"),
        (12, "reqps", "12 req/s"),
        (0.003, "sci", "3.0e-03"),
        (math.nan, "short", "NaN"),
        (-math.inf, "s", "-∞"),
    ],
)
def test_a_number_reads_as_in_grafana(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


def test_variables_get_their_values_and_references_of_promql_stay() -> None:
    expr = 'label_replace(x{name=~"$training"}[$__range], "to", "$1", "${measure}", "(.+)")'
    values = {"training": "digits", "measure": "loss", **windows(15, 3600)}
    assert with_values(expr, values) == 'label_replace(x{name=~"digits"}[3600s], "to", "$1", "loss", "(.+)")'


def test_a_legend_is_filled_in() -> None:
    series = Series({"__name__": "up", "pod": "a", "rank": "0"}, [(0.0, 1.0)])
    assert [named(series, legend) for legend in ("{{pod}} of {{ rank }}", "__auto")] == ["a of 0", "a, 0"]


class Answers(Prometheus):
    """The same series for every query."""

    def __init__(self, found: list[Series]) -> None:
        super().__init__("nowhere")
        object.__setattr__(self, "found", found)

    def over(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        return self.found  # type: ignore[attr-defined,no-any-return]

    def now(self, expr: str, at: float | None = None) -> list[Series]:
        return [Series(each.labels, each.points[-1:]) for each in self.over(expr, 0, 0, 0)]


def view(found: list[Series]) -> View:
    return View(Answers(found), Range(1000, 1060, 15), {**EVERY, **windows(15, 60)})


LABELS = {"training_namespace": "ml", "training_name": "digits", "phase": "Running"}
FOUND = Series(LABELS, [(1000, 1.0), (1015, 2.0), (1045, 4.0)])


def test_where_nothing_was_a_line_has_a_gap() -> None:
    times, values = view([FOUND]).with_gaps(FOUND)
    assert times == [1000, 1015, 1030, 1045]
    assert [value for value in values if not math.isnan(value)] == [1.0, 2.0, 4.0]
    assert math.isnan(values[2])


BOARDS = {board.uid: board for board in boards()}


@pytest.mark.parametrize(
    ("uid", "found"),
    [*((uid, [FOUND]) for uid in BOARDS), ("trainingjob-compare", [])],
    ids=lambda each: str(each)[:20],
)
def test_a_board_is_drawn(uid: str, found: list[Series], tmp_path: Path) -> None:
    path = tmp_path / "board.png"
    draw(BOARDS[uid], view(found), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_rows_of_a_table_are_what_labels_have_in_common() -> None:
    names = {"training_name": "TrainingJob", "Value #A": "Epoch", "Value #B": "Loss"}
    options = {"excludeByName": {}, "renameByName": names, "indexByName": {name: at for at, name in enumerate(names)}}
    targets = [{"refId": each, "expr": "x"} for each in "AB"]
    panel = Panel({"targets": targets, "transformations": [{"id": "organize", "options": options}]})
    assert joined(panel, view([FOUND])) == (
        ["TrainingJob", "Epoch", "Loss"],
        [{"TrainingJob": "digits", "Epoch": 4.0, "Loss": 4.0}],
    )
