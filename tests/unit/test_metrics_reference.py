"""The page of all metrics is what is served, and its queries ask for what there is."""

import asyncio
import json
import re
import runpy
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from support.trainer import recipe, run_config
from trainer.reporting import exporter
from trainer.reporting.board import Board
from training_operator.metrics.counted import Metrics
from training_operator.metrics.exposition import Format
from training_operator.metrics.page import Page
from training_operator.records import Record
from trainingjob_api.metrics import MetricFamily
from trainingjob_api.progress import EpochMetrics, SavedCheckpoint, State
from trainingjob_api.progress import TestMetrics as OfTest
from trainingjob_api.status import (
    CheckpointStatus,
    Condition,
    MetricsStatus,
    Phase,
    ProgressStatus,
    TrainingJobStatus,
)

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE: dict[str, Any] = runpy.run_path(str(DOCS / "metrics_reference.py"))
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
EPOCH = {**dict.fromkeys(EpochMetrics.model_fields, 0.5), "epoch": 1, "extra": {"bleu": 0.25}}
TEST = {**dict.fromkeys(OfTest.model_fields, 0.5), "samples": 9}
TRAINERS, OPERATORS = (REFERENCE["families"](catalogue) for catalogue in REFERENCE["_PARTS"].values())


def test_the_committed_page_is_the_generated_one() -> None:
    assert (DOCS / "metrics-reference.md").read_text() == REFERENCE["markdown"](), "run `make metrics-reference`"


def trainers_page() -> str:
    board = Board(run_config(Path("/c"), recipe(Path("/t.csv"))), State.TRAINING, gradient_norm=1.0)
    board.latest, board.test = EpochMetrics.model_validate(EPOCH), OfTest.model_validate(TEST)
    board.epochs_asked, board.last_step_time, board.device_memory = 3, 1.0, lambda: 9
    board.checkpoint = SavedCheckpoint(
        step=1, epoch=1, attempt=1, path="step-1", size_bytes=9, save_time=NOW, save_seconds=0.1
    )
    return str(urlopen(f"{exporter.serve(board, None)}/metrics").read().decode())


async def operators_page() -> str:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.count_call("get", "jobs", 200, 0.1)
    metrics.reconciles.labels("ok").inc()
    metrics.watch_leadership(lambda: True)
    metrics.watch_queue(lambda: 0, lambda: 0)
    metrics.watch_lag(lambda kind: 0, lambda: 0)
    page = Page(registry, keep_seconds=60, clock=NOW.timestamp)
    for name, phase in (("a", "Paused"), ("a", "Starting"), ("a", "Running"), ("b", "Succeeded"), ("c", "Succeeded")):
        page.change(("team", name), _record(name, phase, is_regression=name == "c"))
    return (await page.render(Format("", ""))).decode()


def _record(name: str, phase: str, is_regression: bool) -> Record:
    true = {"Running": "Running", "Succeeded": "Complete"}.get(phase, "Ready")
    condition = {
        "type": true,
        "status": "True",
        "reason": "Training",
        "lastTransitionTime": NOW,
        "observedGeneration": 1,
    }
    epoch, test = (_without_accuracy(EPOCH), _without_accuracy(TEST)) if is_regression else (EPOCH, TEST)
    progress = ProgressStatus(
        epoch=1, epochs=3, step=9, epoch_text="1/3", samples_per_second=9.0, seconds_remaining=9, update_time=NOW
    )
    saved = CheckpointStatus(step=1, epoch=1, path="step-1", size_bytes=9, save_time=NOW, save_seconds=0.1)
    status = TrainingJobStatus(
        phase=Phase(phase),
        conditions=[Condition.model_validate(condition)],
        start_time=NOW,
        progress=progress,
        metrics=MetricsStatus.model_validate({"latest": epoch, "best": epoch, "test": test}),
        checkpoint=saved,
    )
    metadata = {"namespace": "team", "name": name, "uid": f"uid-{name}", "resourceVersion": "1"}
    return Record.of({"metadata": metadata, "status": status.to_json_object()})


def _without_accuracy(measures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in measures.items() if "accuracy" not in name}


async def page_of(families: list[MetricFamily]) -> str:
    return trainers_page() if families is TRAINERS else await operators_page()


BOTH = pytest.mark.parametrize("families", [TRAINERS, OPERATORS], ids=["trainer", "operator"])


@BOTH
async def test_what_is_served_is_what_is_described(families: list[MetricFamily]) -> None:
    served = [
        family
        for family in text_string_to_metric_families(await page_of(families))
        if family.name.startswith("trainingjob_")
    ]
    types = {"info": "gauge"}  # in this format
    described = {each.name.removesuffix("_total"): (types.get(each.type, each.type), each.meaning) for each in families}
    assert {family.name: (family.type, family.documentation) for family in served} == described
    labels = {each.name.removesuffix("_total"): set(each.labels) for each in families if each.type != "info"}
    for family in served:
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == labels.get(family.name, sample.labels.keys()), sample


@BOTH
def test_queries_ask_for_what_is_served(families: list[MetricFamily]) -> None:
    known = {each.name for each in (*TRAINERS, *OPERATORS) if each.type != "histogram"}
    known |= {
        f"{each.name}_{part}" for each in families if each.type == "histogram" for part in ("bucket", "sum", "count")
    }
    for each in families:
        asked = set(re.findall(r"trainingjob_\w+", re.sub(r"\"[^\"]*\"", "", each.query)))
        assert asked <= known, each.name
        assert any(name.startswith(each.name) for name in asked), f"{each.name} has no query of its own"


needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@needs_promtool
@BOTH
def test_promtool_has_nothing_to_say_against_it(families: list[MetricFamily]) -> None:
    page = asyncio.run(page_of(families))
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_promtool
@BOTH
def test_prometheus_reads_the_queries(families: list[MetricFamily], tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": each.query} for number, each in enumerate(families)]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", "rules.json"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@BOTH
def test_everything_has_its_unit(families: list[MetricFamily]) -> None:
    unitless = {each.name for each in families if not each.base_unit and not each.unit}
    assert unitless <= {each.name for each in families if "Always 1" in each.meaning}
