"""Grafana's boards: committed as generated, and asking only for what is there."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.catalogue import BOARDS, text
from boards.panels import ACTIVITIES, PHASES
from trainingjob_api.progress import State
from trainingjob_api.status import Phase

MONITORING = Path("deploy/monitoring")
MADE = {str(board.uid): board for board in (make() for make in BOARDS)}
WRITTEN = {path.stem: json.loads(path.read_text()) for path in (MONITORING / "dashboards").glob("*.json")}
FOREIGN = {
    "DCGM_FI_DEV_GPU_UTIL": "NVIDIA's DCGM exporter",
    "kube_pod_container_resource_requests": "kube-state-metrics",
    "process_cpu_seconds_total": "prometheus-client, of the operator's process",
    "process_resident_memory_bytes": "prometheus-client, of the operator's process",
}
"""Metrics that are not ours, and who exports them."""
RECORDED = {"training:goodput:ratio_rate1h", "fleet:goodput:ratio_rate1h", "training:step_duration_seconds:mean5m"}
"""Of recording rules."""
LARGEST = 200_000
"""Bytes of a board: `kubectl apply` keeps a copy of a ConfigMap in an annotation, of at most 256 KiB."""


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


PANELS = [(uid, panel) for uid, board in WRITTEN.items() for panel in panels(board)]
IDS = [f"{uid}: {panel['title']}" for uid, panel in PANELS]


def queries() -> Iterator[tuple[str, str]]:
    """Where it stands, and PromQL with a value for every variable."""
    for uid, board in WRITTEN.items():
        for panel in panels(board):
            for target in panel["targets"]:
                for expr in with_values(target["expr"], board):
                    yield f"{uid}: {panel['title']} {target['refId']}", expr
        for each in board["annotations"].get("list", []):
            yield f"{uid}: {each['name']}", each["expr"]


def with_values(expr: str, board: dict[str, Any]) -> Iterator[str]:
    """Windows as Grafana might choose them; a measure becomes each that can be chosen."""
    expr = expr.replace("$__rate_interval", "5m").replace("$__range", "6h")
    if "${measure}" not in expr:
        yield expr
        return
    variable = next(each for each in board["templating"]["list"] if each["name"] == "measure")
    for choice in variable["query"].split(","):
        yield expr.replace("${measure}", choice.partition(" : ")[2])


def test_the_committed_boards_are_the_generated_ones() -> None:
    assert MADE.keys() == WRITTEN.keys()
    for uid, board in MADE.items():
        assert (MONITORING / f"dashboards/{uid}.json").read_text() == text(board), "run `make dashboards`"


@pytest.mark.parametrize(("uid", "panel"), PANELS, ids=IDS)
def test_a_panel_says_what_it_shows_in_which_unit_and_why_it_is_empty(uid: str, panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert defaults["unit"]
    assert defaults["noValue"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert [target["datasource"]["uid"] for target in panel["targets"]] == ["${datasource}"] * len(panel["targets"])


def test_boards_ask_for_what_is_exported_or_recorded() -> None:
    exported = re.findall(r"^\| `(\w+)`", Path("docs/metrics-reference.md").read_text(), re.MULTILINE)
    known = {*exported, *RECORDED, *FOREIGN}
    asked = {name for _, expr in queries() for name in metrics(expr)}
    assert {name for name in asked if re.sub(r"_(sum|count|bucket)$", "", name) not in known} == set()
    assert asked >= {*RECORDED, *FOREIGN}


def metrics(expr: str) -> set[str]:
    """Names of metrics: with an underscore or colon, and not a label, a function or a string."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    bare = re.sub(r"\b(by|on|without|group_left) \([^)]*\)", "", bare)
    names = re.findall(r"(?<![\w:])[a-zA-Z]\w*[_:][\w:]*(?!\w*\s*(?:=|!|\())", re.sub(r"\{[^}]*\}", "", bare))
    return set(names)


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed")
def test_every_query_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"query:{index}", "expr": expr} for index, (_, expr) in enumerate(queries())]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("uid", WRITTEN)
def test_a_board_is_one_by_grafanas_own_types(uid: str) -> None:
    register_default_plugins()
    read = Dashboard.from_json(WRITTEN[uid])
    for each in (*read.links, *(read.annotations.list_val or ())):
        each.placement = None  # which reading puts in
    assert json.loads(text(read)) == WRITTEN[uid]


def test_the_sidecar_gets_every_board_and_nothing_is_too_large() -> None:
    component = yaml.safe_load((MONITORING / "dashboards/kustomization.yaml").read_text())
    assert component["generatorOptions"]["labels"] == {"grafana_dashboard": "1"}
    shipped = [file for each in component["configMapGenerator"] for file in each["files"]]
    assert sorted(shipped) == sorted(f"{uid}.json" for uid in WRITTEN)
    assert max((MONITORING / "dashboards" / file).stat().st_size for file in shipped) < LARGEST


def test_every_phase_and_activity_has_a_colour_of_its_own() -> None:
    assert PHASES.keys() == set(Phase)
    assert ACTIVITIES.keys() == set(State)
    assert len(set(PHASES.values())) == len(PHASES)
    assert len(set(ACTIVITIES.values())) == len(ACTIVITIES)


def test_links_lead_to_boards_that_there_are() -> None:
    linked = {uid for board in WRITTEN.values() for uid in re.findall(r'"/d/([\w-]+)', json.dumps(board))}
    assert linked == {"trainingjob-training"}
    assert linked <= WRITTEN.keys()
    assert {board["links"][0]["tags"][0] for board in WRITTEN.values()} <= {
        tag for b in WRITTEN.values() for tag in b["tags"]
    }
