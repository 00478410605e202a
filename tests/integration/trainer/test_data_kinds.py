"""Data of every kind in real ranks: interrupted, a training ends with the bits of one that was not."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import csv, parquet
from safetensors.numpy import load_file

from support.fork_server import ForkServer
from support.idx import write_idx
from support.trainer import history_of, newest_tensors, recipe, run_config, trainer
from trainingjob_api.contract import ExitCode

RANKS = 3


def _stream(folder: Path, table: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Row groups of seven rows in two files."""
    rows = csv.read_csv(table)
    for part in range(2):
        parquet.write_table(rows.slice(part * 60, 60), folder / f"part-{part}.parquet", row_group_size=7)
    data = {"path": str(folder / "*.parquet"), "target": "target", "loading": "stream", "validation": {"fraction": 0.2}}
    return {"data": data}, {"type": "mlp", "hiddenUnits": [8], "dropout": 0.3}


def _series(folder: Path, table: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The next value of a column from eight rows of three."""
    data = {
        "path": str(table), "features": ["[a-c]"], "target": "a", "validation": {"fraction": 0.3},
        "sequence": {"length": 8},
    }  # fmt: skip
    return {"task": "regression", "data": data}, {"type": "gru", "hiddenUnits": [6], "dropout": 0.3}


def _idx(folder: Path, table: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bright or dark images of 6 x 6, in the files that MNIST comes in."""
    source, labels = np.random.default_rng(0), np.arange(90) % 2
    images = source.integers(0, 100, (90, 6, 6)) + 100 * labels[:, None, None]
    write_idx(folder, "train", images, labels, zipped=False)
    data = {
        "path": str(folder), "format": "idx", "validation": {"fraction": 0.2},
        "augmentation": {"rotateDegrees": 15, "cropPadding": 1},
    }  # fmt: skip
    return {"data": data}, {"type": "cnn", "channels": [4], "hiddenUnits": [8]}


@pytest.mark.parametrize("kind", [_stream, _series, _idx], ids=["a stream of parquet", "a series", "idx images"])
def test_interrupted_in_the_middle_of_an_epoch(server: ForkServer, table: Path, tmp_path: Path, kind: Any) -> None:
    (tmp_path / "data").mkdir()
    fields, model = kind(tmp_path / "data", table)
    training = recipe(table, model=model, epochs=4, batchSize=20, **fields)
    assert server.start(run_config(tmp_path / "undisturbed", training), RANKS).codes() == [0] * RANKS

    disturbed = tmp_path / "disturbed"
    first = server.start(run_config(disturbed, training), RANKS)
    assert first.wait_for_step(6)
    first.signal(signal.SIGTERM, [1])
    assert first.codes() == [ExitCode.STOPPED] * RANKS, first.end()
    assert server.start(run_config(disturbed, training, 2), RANKS).codes() == [0] * RANKS
    assert newest_tensors(disturbed) == newest_tensors(tmp_path / "undisturbed")
    assert history_of(disturbed) == history_of(tmp_path / "undisturbed")


def test_the_example_of_mnist_trains_on_its_four_files(tmp_path: Path) -> None:
    """The images are not MNIST's: ten patterns of their size, with noise."""
    example = Path(__file__).parents[3] / "deploy/examples/mnist.yaml"
    source = np.random.default_rng(0)
    patterns = source.integers(0, 150, (10, 28, 28))
    for prefix, count in (("train", 300), ("t10k", 50)):
        labels = np.arange(count) % 10
        write_idx(tmp_path / "mnist", prefix, patterns[labels] + source.integers(0, 100, (count, 28, 28)), labels)
    here = ("--mount", f"/data={tmp_path / 'mnist'}", "--checkpoints", str(tmp_path))
    with trainer(None, tmp_path, arguments=("--config", str(example), *here)) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
    folder = tmp_path / "default" / "mnist"
    test = json.loads((folder / "report.json").read_text())["test"]
    assert test["samples"] == 50
    assert test["accuracy"] > 0.9
    weights = load_file(folder / "model" / "model.safetensors").values()
    assert [each.shape for each in weights if each.ndim == 2] == [(512, 784), (256, 512), (10, 256)]
