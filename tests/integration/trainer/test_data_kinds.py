"""Data of every kind in real ranks: interrupted, a training ends with the bits of one that was not."""

import signal
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import csv, parquet

from support.fork_server import ForkServer
from support.trainer import history_of, newest_tensors, recipe, run_config
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
    source, labels = np.random.default_rng(0), np.arange(90, dtype=np.uint8) % 2
    images = (source.integers(0, 100, (90, 6, 6)) + 100 * labels[:, None, None]).astype(np.uint8)
    for name, values in (("train-images-idx3", images), ("train-labels-idx1", labels)):
        head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
        (folder / f"{name}-ubyte").write_bytes(head + values.tobytes())
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
