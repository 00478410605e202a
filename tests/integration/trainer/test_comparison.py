"""Several variants of one manifest, trained by one command that can be stopped and goes on."""

import csv
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from matplotlib import colormaps
from matplotlib.image import imread

from support.trainer import history_of, recipe, trainer
from trainingjob_api.contract import ExitCode

EXAMPLES = Path(__file__).parents[3] / "deploy/examples"
COLUMNS = {
    "train loss": ("best", "trainLoss", ".4g"),
    "validation loss": ("best", "validationLoss", ".4g"),
    "validation accuracy": ("best", "validationAccuracy", ".2%"),
    "test loss": ("test", "loss", ".4g"),
    "test accuracy": ("test", "accuracy", ".2%"),
}
"""Column -> where report.json has it, and how the table shows it."""


def manifest_of(training: Mapping[str, Any], path: Path) -> Path:
    spec = {"training": training, "checkpoint": {"volume": {"emptyDir": {}}}}
    job = {"apiVersion": "trainingjob.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "job"}, "spec": spec}
    path.write_text(json.dumps(job))
    return path


def rows_of(output: Path) -> dict[str, dict[str, str]]:
    return {row["variant"]: row for row in csv.DictReader((output / "comparison.csv").read_text().splitlines())}


def report_of(row: Mapping[str, str], where: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((where / row["folder"] / "report.json").read_text())
    return report


def test_variants_are_trained_paused_and_compared(table: Path, tmp_path: Path) -> None:
    manifest, output = manifest_of(recipe(table, epochs=40), tmp_path / "job.yaml"), tmp_path / "out"
    vary = ("--vary", "model.activation=relu,tanh", "--vary", "data.target=target,forgotten")
    arguments = ("compare", "--config", str(manifest), *vary, "--output", str(output))
    with trainer(None, tmp_path, arguments=arguments) as run:
        run.wait_for_epoch(3)
        run.signal(signal.SIGINT)
        assert run.end() == ExitCode.STOPPED, run.text()
        assert not (output / "comparison.csv").exists()
    with trainer(None, tmp_path, arguments=arguments) as run:
        assert run.end() == 1, "a variant that fails makes the comparison no success"
        assert run.named("resumed")[0]["exactness"] == "Bitwise"

    rows = rows_of(output)
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "activation=relu, target=target": "Completed",
        "activation=relu, target=forgotten": "DataError",
        "activation=tanh, target=target": "Completed",
        "activation=tanh, target=forgotten": "DataError",
    }
    relu, tanh = (rows[f"activation={name}, target=target"] for name in ("relu", "tanh"))
    assert relu["validation loss"] != tanh["validation loss"]
    assert (output / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((output / "comparison.json").read_text()).keys() == rows.keys()


def test_another_recipe_is_never_shown_with_the_numbers_of_an_earlier_one(table: Path, tmp_path: Path) -> None:
    """Two fields that end alike make the same names; the same output holds both, and knows both again."""
    training = recipe(table, epochs=2, schedule={"type": "exponential"}, loss={"type": "focal"})
    manifest, output = manifest_of(training, tmp_path / "job.yaml"), tmp_path / "out"

    def compared(field: str) -> tuple[dict[str, dict[str, str]], int]:
        """The table, and how many were trained for it."""
        arguments = ("compare", "--config", str(manifest), "--vary", f"{field}=0.5,0.9", "--output", str(output))
        with trainer(None, tmp_path, arguments=arguments) as run:
            assert run.end() == 0, run.text()
        return rows_of(output), len(run.named("started"))

    schedule, trained = compared("schedule.gamma")
    assert trained == 2
    loss, trained = compared("loss.gamma")
    assert trained == 2
    assert loss.keys() == schedule.keys() == {"gamma=0.5", "gamma=0.9"}
    for name, row in loss.items():
        recipe_trained = report_of(row, tmp_path)["recipe"]
        assert f"gamma={recipe_trained['loss']['gamma']}" == name
        assert "gamma" not in report_of(schedule[name], tmp_path)["recipe"]["loss"]
        assert float(row["validation loss"]) == report_of(row, tmp_path)["best"]["validationLoss"]
        assert row["validation loss"] != schedule[name]["validation loss"]
    assert compared("schedule.gamma") == (schedule, 0), "what is done is not done again"


def test_the_shipped_strategies_and_activations_on_iris(tmp_path: Path) -> None:
    """Fisher's flowers as the example brings them: 120 rows, of which 24 to validate, and 30 to test."""
    data, job = yaml.safe_load_all((EXAMPLES / "iris.yaml").read_text())
    job["spec"]["training"]["epochs"] = 6
    shipped = yaml.safe_load((EXAMPLES / "comparisons" / "strategies.yaml").read_text())
    for stage in shipped["stages"]["stages"]:
        stage["epochs"] = 2
    chosen = {name: shipped[name] for name in ("constant", "warm-up and cosine", "one cycle", "stages")}
    variants = {**chosen, "tanh": {"model": {"activation": "tanh"}}, "gelu": {"model": {"activation": "gelu"}}}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump_all([data, job]))
    (tmp_path / "variants.yaml").write_text(yaml.safe_dump(variants, sort_keys=False))
    files = ("--config", "job.yaml", "--variants", "variants.yaml", "--output", "out")
    with trainer(None, tmp_path, arguments=("compare", *files)) as run:
        assert run.end() == 0, run.text()

    rows = rows_of(tmp_path / "out")
    reports = {name: report_of(row, tmp_path) for name, row in rows.items()}
    assert list(rows) == list(variants)
    for name, row in rows.items():
        report, words = reports[name], name.split()
        own = {column: report[part][field] for column, (part, field, _) in COLUMNS.items()}
        assert {column: float(row[column]) for column in COLUMNS} == own
        assert (int(row["epochs"]), int(row["best epoch"])) == (report["epochs"], report["best"]["epoch"])
        (shown,) = [line.split() for line in run.lines if line.split()[: len(words) + 1] == [*words, row["epochs"]]]
        cells = [f"{own[column]:{style}}" for column, (_, _, style) in COLUMNS.items()]
        assert shown[len(words) + 1 : -1] == [row["best epoch"], *cells]

    # 96 rows in batches of 32; stages of 16, 32 and 64.
    assert {name: report["steps"] for name, report in reports.items()} == {**dict.fromkeys(variants, 18), "stages": 22}
    assert {report["test"]["samples"] for report in reports.values()} == {30}
    assert len({row["test loss"] for row in rows.values()}) == len(variants), "no two trainings are the same"
    epochs = {name: history_of(tmp_path / row["folder"]) for name, row in rows.items()}
    rates = {name: [epoch["learningRate"] for epoch in those] for name, those in epochs.items()}
    assert rates["constant"] == rates["stages"] == [0.02] * 6
    assert rates["tanh"] == rates["gelu"], "the manifest's"
    assert len({str(rates[name]) for name in ("constant", "warm-up and cosine", "one cycle", "tanh")}) == 4

    picture = imread(tmp_path / "out" / "comparison.png")[:, :, :3]
    assert picture.shape == (598, 1820, 3)
    above_the_legend = picture[:470]
    for name, color in zip(variants, colormaps["tab10"].colors, strict=False):
        assert np.all(np.abs(above_the_legend - color) < 0.01, axis=2).sum() > 100, f"the line of {name}"
