"""What a training leaves behind, with any number of ranks and however often it was interrupted."""

import json
import signal
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from support.fork_server import ForkServer
from support.rounding import rounding
from support.trainer import history_of, recipe, run_config, write_table
from trainingjob_api.contract import ExitCode

STILL = {"type": "sgd", "learningRate": 1e-12}
"""Weights that do not move are the same with any number of ranks, and so are all metrics."""


def picture_size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def same(one: Any, other: Any, within: float) -> bool:
    """Counts and what is made of them to the last bit; sums of real numbers as close as rounding allows."""
    if isinstance(one, float):
        return isinstance(other, float) and one == pytest.approx(other, rel=within, abs=within)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], within) for key in one)
    return bool(one == other)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_any_number_of_ranks_measures_the_same(server: ForkServer, tmp_path: Path, task: str) -> None:
    is_regression = task == "regression"
    table = write_table(tmp_path / "table.csv", 97, regression=is_regression)
    test = write_table(tmp_path / "test.csv", 41, seed=3, regression=is_regression)
    data = {"path": str(table), "target": "target", "validation": {"fraction": 0.3}, "test": {"path": str(test)}}
    model = {"type": "mlp", "hiddenUnits": [8]}
    training = recipe(table, task=task, data=data, model=model, epochs=2, optimizer=STILL, schedule=None)
    reports = {}
    for ranks in (1, 2, 3):
        folder = tmp_path / str(ranks)
        assert server.start(run_config(folder, training), ranks).codes() == [0] * ranks
        reports[ranks] = report_of(folder)
    alone = reports[1]["evaluation"]
    assert (alone["rows"], alone["samples"]) == ("test", 41)
    exact = {"accuracy", "precision", "recall", "f1", "rocAuc", "classes", "confusion", "roc", "errorRate"}
    assert (exact <= alone.keys()) is not is_regression
    for ranks in (2, 3):
        for key, value in reports[ranks]["evaluation"].items():
            assert same(value, alone[key], 0.0 if key in exact else rounding(41, torch.float32)), (ranks, key)
        for metrics in ("last", "best"):
            timed = {"secondsPerEpoch", "samplesPerSecond"}
            found = {key: value for key, value in reports[ranks][metrics].items() if key not in timed}
            within = rounding(97, torch.float32)  # of all rows, trained on or held back
            assert all(same(value, reports[1][metrics][key], within) for key, value in found.items())
        assert reports[ranks]["environment"]["worldSize"] == ranks
    assert reports[1]["last"]["trainLoss"] > 0
    assert reports[1]["test"]["samples"] == 41


def test_the_report_of_a_classification(server: ForkServer, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    assert server.start(run_config(folder, recipe(table)), 1, pictures=True).codes() == [0]
    report = report_of(folder)
    evaluation, last = report["evaluation"], report["last"]
    assert evaluation["rows"] == "validation"
    assert report["best"]["validationLoss"] == pytest.approx(evaluation["loss"], rel=1e-6), "of the best weights"
    assert evaluation["errorRate"] == pytest.approx(1 - evaluation["accuracy"])
    counts = evaluation["confusion"]["counts"]
    assert evaluation["confusion"]["labels"] == ["class-0", "class-1", "class-2"]
    assert sum(map(sum, counts)) == evaluation["samples"]
    assert [row["samples"] for row in evaluation["classes"]] == [sum(row) for row in counts]
    assert [curve["class"] for curve in evaluation["roc"]] == ["class-0", "class-1", "class-2", None]
    measured = {"validationPrecision", "validationRecall", "validationF1", "validationRocAuc", "trainAccuracy"}
    assert measured <= last.keys()
    assert report["durations"]["epochsSeconds"] > 0
    assert report["environment"]["torchVersion"]
    assert len((folder / "history.jsonl").read_text().splitlines()) == report["epochs"] == 12
    assert picture_size(folder / "curves.png")[0] > 1000
    assert picture_size(folder / "report.png")[0] > 1000
    assert set(report["files"]) == {"history.jsonl", "curves.png", "report.png", "model"}
    assert all((folder / name).exists() for name in report["files"])
    assert not (folder / "tensorboard").exists(), "nobody has asked for it"


def test_a_metric_that_the_rows_do_not_define_ends_the_training_once(server: ForkServer, tmp_path: Path) -> None:
    table, other = write_table(tmp_path / "table.csv", 60), tmp_path / "one-class.csv"
    lines = table.read_text().splitlines()
    other.write_text("\n".join([lines[0], *(line for line in lines if line.endswith("class-1"))]) + "\n")
    data = {"path": str(table), "target": "target", "validation": {"path": str(other)}}
    watched = recipe(table, data=data, earlyStopping={"metric": "validationRocAuc"})
    group = server.start(run_config(tmp_path / "c", watched), 2)
    assert group.codes() == [ExitCode.USER_ERROR] * 2
    assert "earlyStopping.metric: validationRocAuc cannot be measured" in group.end().message  # type: ignore[union-attr]


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard would show: tag -> (epoch, value)."""
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_shows_every_epoch_once(server: ForkServer, table: Path, tmp_path: Path) -> None:
    """Killed in the middle, so that epochs are done again; stopped on request; then to the end."""
    training, every = recipe(table, tensorboard=True, epochs=40), {"checkpointEvery": {"epochs": 4}}
    folder = tmp_path / "c"
    for attempt, (number, step) in enumerate([(signal.SIGKILL, 70), (signal.SIGTERM, 140)], start=1):
        group = server.start(run_config(folder, training, attempt, **every), 1)
        assert group.wait_for_step(step)
        group.signal(number)
        group.codes()
    assert server.start(run_config(folder, training, 3, **every), 1).codes() == [0]
    scalars, history = shown(folder), history_of(folder)
    for tag, key in {
        "loss/train": "trainLoss",
        "loss/validation": "validationLoss",
        "roc_auc/validation": "validationRocAuc",
        "learning_rate": "learningRate",
    }.items():
        assert [epoch for epoch, _ in scalars[tag]] == list(range(1, 41))
        assert [value for _, value in scalars[tag]] == pytest.approx([line[key] for line in history], rel=1e-6)
    assert len(list((folder / "tensorboard").iterdir())) == 1
