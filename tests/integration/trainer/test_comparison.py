"""Several variants of one manifest, trained by one command that can be stopped and goes on."""

import csv
import json
import signal
from pathlib import Path

from support.trainer import recipe, trainer
from trainingjob_api.contract import ExitCode


def test_variants_are_trained_paused_and_compared(table: Path, tmp_path: Path) -> None:
    manifest, output = tmp_path / "job.yaml", tmp_path / "out"
    spec = {"training": recipe(table, epochs=40), "checkpoint": {"volume": {"emptyDir": {}}}}
    job = {"apiVersion": "trainingjob.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "job"}, "spec": spec}
    manifest.write_text(json.dumps(job))
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

    rows = {row["variant"]: row for row in csv.DictReader((output / "comparison.csv").read_text().splitlines())}
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
