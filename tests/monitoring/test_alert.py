"""The shipped rules in a real Prometheus: a training that stalls raises its alert, and nothing else does."""

from monitoring.scenario import NAMESPACE, Scenario
from pictures.board import boards

FIRING = 'ALERTS{alertstate="firing"}'


def test_a_training_that_stalls_raises_the_alert(scenario: Scenario) -> None:
    found = scenario.prometheus.now(f"{FIRING} == 1", scenario.moments["over"])
    stalled = [each.labels for each in found if each.labels["alertname"] == "TrainingStalled"]
    assert [labels["training_name"] for labels in stalled] == ["digits-stalls"]
    assert stalled[0]["severity"] == "warning"


def test_the_board_of_the_fleet_shows_it(scenario: Scenario) -> None:
    fleet = next(board for board in boards() if board.uid == "trainingjob-fleet")
    ((_, expr, _),) = next(panel.queries for panel in fleet.panels if panel.title == "Alerts")
    shown = scenario.prometheus.now(expr, scenario.moments["over"])
    assert [(each.labels["training_namespace"], each.labels["training_name"]) for each in shown] == [
        (NAMESPACE, "digits-stalls")
    ]


def test_neither_a_pause_nor_a_crash_nor_a_queue_raises_one(scenario: Scenario) -> None:
    start, end = scenario.moments["submitted"], scenario.moments["over"]
    found = scenario.prometheus.over(FIRING, start, end, scenario.scrape_seconds)
    assert {(each.labels["alertname"], each.labels["training_name"]) for each in found} == {
        ("TrainingStalled", "digits-stalls")
    }
