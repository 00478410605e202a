"""Every query of every panel, asked of a Prometheus that has seen trainings run, pause, crash and end."""

import re
from collections.abc import Iterator

import pytest

from monitoring.scenario import NAMESPACE, Scenario
from pictures.board import Board, boards, windows, with_values

SILENT = {
    "GPUs asked for and used A": "there is no GPU, and no kube-state-metrics",
    "GPUs asked for and used B": "there is no GPU, and no DCGM exporter",
    "Accelerator memory A": "there is no GPU",
    "GPU use A": "there is no GPU, and no DCGM exporter",
    "Calls without success A": "every call may have succeeded",
}
"""Queries that may find nothing here, and why."""
EVERY = {"datasource": "prometheus", "namespace": NAMESPACE, "training": ".*", "operator_namespace": ".*"}
MEASURES = ("validation_loss", "train_loss", "validation_accuracy_ratio", "validation_mae")


def asked(board: Board) -> Iterator[tuple[str, str]]:
    for panel in board.panels:
        for reference, expr, _ in panel.queries:
            yield f"{panel.title} {reference}", expr
    for name, expr, _ in board.annotations:
        yield name, expr


KEPT = ("Progress", "Duration", "Best epoch", "Phase", "Loss", "Loss by epoch", "Accuracy")
"""Panels of the board of one training that go on when its pods are gone."""
QUERIES = [(f"{board.title}: {where}", where, expr) for board in boards() for where, expr in asked(board)]


@pytest.mark.parametrize(("where", "expr"), [each[1:] for each in QUERIES], ids=[each[0] for each in QUERIES])
def test_a_query_of_a_board_is_answered(scenario: Scenario, where: str, expr: str) -> None:
    start, end = scenario.moments["submitted"], scenario.moments["over"]
    values = EVERY | windows(scenario.scrape_seconds, end - start) | {"replica": ".*"}
    for measure in MEASURES if "${measure}" in expr else MEASURES[:1]:
        filled = with_values(expr, values | {"measure": measure})
        found = scenario.prometheus.over(filled, start, end, scenario.scrape_seconds)
        assert any(series.has_values for series in found) or where in SILENT, filled


def test_the_board_of_a_training_that_has_ended_shows_what_the_mirror_keeps(scenario: Scenario) -> None:
    end = scenario.moments["over"]
    begin = end - 4 * scenario.scrape_seconds
    board = next(each for each in boards() if each.uid == "trainingjob-training")
    values = EVERY | windows(scenario.scrape_seconds, end - begin) | {"training": "digits"}
    assert scenario.prometheus.over('trainingjob_rank{training_name="digits"}', begin, end, 1) == []
    shown = {
        panel.title
        for panel in board.panels
        for _, expr, _ in panel.queries
        if scenario.prometheus.over(with_values(expr, values), begin, end, scenario.scrape_seconds)
    }
    assert set(KEPT) <= shown


@pytest.mark.parametrize("board", list(boards()), ids=lambda board: board.uid)
def test_every_variable_has_something_to_choose_from(scenario: Scenario, board: Board) -> None:
    asked = {
        each["name"]: each["query"]["query"] for each in board.json["templating"]["list"] if each["type"] == "query"
    }
    assert asked
    for name, query in asked.items():
        parts = re.fullmatch(r"label_values\((.*), (\w+)\)", with_values(query, EVERY))
        assert parts
        found = scenario.prometheus.now(f"group by ({parts[2]}) ({parts[1]})", scenario.moments["over"])
        assert [each for each in found if each.labels.get(parts[2])], name
