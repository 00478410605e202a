"""Every query of every board finds its series, labelled as they arrive, in Prometheus' own engine."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import yaml

POD = {"namespace": "ml", "pod": "digits-1-0", "training_name": "digits", "attempt": "1", "rank": "0"}
OPERATOR = {"namespace": "trainingjob-system", "pod": "operator-0"}
MIRRORED = OPERATOR | {"training_namespace": "ml", "training_name": "digits", "training_uid": "u1"}
VALUES = {
    "training_uid": [MIRRORED["training_uid"]],
    "split": ["train", "validation"],
    "code": ["500"],
    "le": ["0.1", "+Inf"],
    "phase": ["Running", "Paused", "Queued", "Starting"],
}
"""Of labels whose value decides whether a query finds anything; all phases at once, so that each finds its own."""
OTHERS = {
    "ALERTS": POD | {"alertname": "TrainingStalled", "alertstate": "firing", "severity": "warning"},
    "DCGM_FI_DEV_GPU_UTIL": POD,
    "kube_pod_container_resource_requests": POD | {"resource": "nvidia_com_gpu"},
    "process_cpu_seconds_total": OPERATOR,
    "process_resident_memory_bytes": OPERATOR,
    "training:goodput:ratio_rate1h": POD,
    "training:step_duration_seconds:mean5m": POD,
    "fleet:goodput:ratio_rate1h": {},
}
ONE = [{"labels": "{}", "value": 1}]


def series() -> Iterator[tuple[str, dict[str, str]]]:
    """Everything in the reference, and what others export."""
    for line in Path("docs/metrics-reference.md").read_text().splitlines():
        if row := re.match(r"\| `(\w+)` \| (\w+) \| [^|]* \| ([^|]*) \|", line):
            name, kind, labels = row[1], row[2], re.findall(r"`(\w+)`", row[3])
            of_operator = MIRRORED if "training_uid" in labels else OPERATOR
            arriving = of_operator if "_operator_" in name else POD
            own = [label for label in labels if label not in arriving] + ["le"] * (kind == "histogram")
            for values in product(*(VALUES.get(label, ["x"]) for label in own)):
                yield name + "_bucket" * (kind == "histogram"), arriving | dict(zip(own, values, strict=True))
    yield from OTHERS.items()


def queries() -> Iterator[str]:
    """PromQL of panels and annotations."""
    for path in sorted(Path("deploy/monitoring/dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield target["expr"]
        for each in board["annotations"].get("list", []):
            yield each["expr"]


def chosen(expr: str) -> str:
    for name, value in {"__rate_interval": "5m", "__range": "1h", "{measure}": "validation_loss"}.items():
        expr = expr.replace(f"${name}", value)
    return re.sub(r"\$[a-z_]\w*", ".*", expr)  # not $1, which Grafana leaves as it is


def selector(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed")
def test_every_query_finds_what_arrives(tmp_path: Path) -> None:
    growing = [{"series": name + selector(labels), "values": "1+1x40"} for name, labels in series()]
    checks = [{"expr": f"count({chosen(expr)}) > bool 0", "eval_time": "10m", "exp_samples": ONE} for expr in queries()]
    tests = [{"interval": "15s", "input_series": growing, "promql_expr_test": checks}]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "tests.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
