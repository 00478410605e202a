"""Rules, alerts and scrape configurations as they are shipped, against what is exported and what the docs say."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

MONITORING = Path("deploy/monitoring")
TESTS = Path("tests/monitoring/alerts_test.yaml")
RECORDING_TESTS = Path("tests/monitoring/recording_test.yaml")
FOREIGN = {"DCGM_FI_DEV_GPU_UTIL"}
"""Of NVIDIA's exporter."""


def groups() -> list[dict[str, Any]]:
    return [group for path in sorted((MONITORING / "rules").glob("*.yaml")) for group in read(path)["groups"]]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


RULES = [rule for group in groups() for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"]
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert page.endswith("/docs/alerts.md")
    headings = re.findall(r"^## (\w+)$", Path("docs/alerts.md").read_text(), re.MULTILINE)
    assert name in headings
    assert anchor == name.lower()


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_names_panels_that_there_are(name: str) -> None:
    files = (MONITORING / "dashboards").glob("*.json")
    found = {board["title"].removeprefix("TrainingJob / "): board for board in map(read, files)}
    titles = {title: {panel["title"] for panel in board["panels"]} for title, board in found.items()}
    _, _, section = Path("docs/alerts.md").read_text().partition(f"## {name}\n")
    named = re.search(r"^- Board: (.*)$", section.partition("\n## ")[0], re.MULTILINE)
    assert named
    boards = re.findall(r"(?<!\*)\*(\w[^*]+)\*: (.*?)(?=; \*\w|$)", named[1])
    assert boards
    for board, panels in boards:
        shown = re.findall(r"\*\*([^*]+)\*\*", panels)
        assert shown
        assert set(shown) <= titles[board]


def test_each_alert_is_seen_to_fire_and_not_to_fire() -> None:
    checks = [check for test in read(TESTS)["tests"] for check in test["alert_rule_test"]]
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == ALERTS.keys()
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} >= ALERTS.keys()


def test_rules_ask_for_what_is_exported() -> None:
    reference = Path("docs/metrics-reference.md").read_text()
    exported = set(re.findall(r"^\| `(\w+)`", reference, re.MULTILINE))
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    asked = {name for rule in RULES for name in re.findall(r"\b(?:trainingjob|DCGM)_\w+|\b\w+:\w+:\w+", rule["expr"])}
    histograms = re.compile(r"_(sum|count|bucket)$")
    assert {name for name in asked if histograms.sub("", name) not in exported | recorded | FOREIGN} == set()


def test_the_prometheus_operator_gets_the_same_rules() -> None:
    generated = runpy.run_path(str(MONITORING / "generate.py"))["prometheus_rule"]()
    assert (MONITORING / "prometheus-rule.yaml").read_text() == generated


def test_both_ways_to_discover_pods_give_the_same_labels() -> None:
    by_file = read(MONITORING / "scrape.yaml")["scrape_configs"][0]["relabel_configs"]
    monitor = next(yaml.safe_load_all((MONITORING / "monitors.yaml").read_text()))
    by_monitor = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    own = {"namespace", "pod"}  # which the Prometheus operator sets by itself
    given = {each["target_label"]: each["source_labels"] for each in by_file if "target_label" in each}
    assert {each["targetLabel"]: each["sourceLabels"] for each in by_monitor} == {
        label: sources for label, sources in given.items() if label not in own
    }
    assert given.keys() == {"training_name", "attempt", "rank", *own}


CHECK = ["check", "rules", *(str(path) for path in (MONITORING / "rules").glob("*"))]


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed")
@pytest.mark.parametrize("command", [CHECK, ["test", "rules", str(TESTS), str(RECORDING_TESTS)]], ids=["check", "test"])
def test_promtool_agrees(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
