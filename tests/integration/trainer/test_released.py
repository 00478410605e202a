"""Trainings that a released version has paused go on as they would have there: with its rows, its rates, its weights.

`released/<version>/<name>` are folders as that version left them, after a stop at step 14 in the third epoch. Their
`expected.safetensors` are the last weights of the same training there without a stop.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from support.fork_server import ForkServer
from support.trainer import newest_checkpoint, recipe, run_config, write_table
from trainingjob_api.spec.training import Training, identity

RELEASED = Path(__file__).parent / "released"


def memory(table: Path) -> dict[str, Any]:
    return recipe(
        table,
        epochs=6,
        model={"type": "mlp", "hiddenUnits": [4], "dropout": 0.2},
        loss={"type": "focal", "alpha": 0.3},
        optimizer={"type": "sgd", "learningRate": 0.05, "momentum": 0.8},
        schedule={"type": "oneCycle"},
        earlyStopping={"patience": 3, "minDelta": 0.01},
    )


def stream(table: Path) -> dict[str, Any]:
    return recipe(
        table,
        epochs=6,
        data={"path": str(table), "target": "target", "validation": {"fraction": 0.2}, "loading": "stream"},
        model={"type": "mlp", "hiddenUnits": [4]},
        schedule={"type": "cyclic", "minimum": 0.001, "maximum": 0.02, "stepsUp": 5},
        earlyStopping=None,
    )


@pytest.mark.parametrize("training", [memory, stream])
@pytest.mark.parametrize("version", ["0.1.0"])
def test_a_training_goes_on_that_a_released_version_has_paused(
    server: ForkServer, tmp_path: Path, version: str, training: Any
) -> None:
    folder = shutil.copytree(RELEASED / version / training.__name__, tmp_path / "c")
    table = write_table(tmp_path / "table.csv", 91)
    known_as = identity(Training.model_validate(training(Path("/data/table.csv"))))
    group = server.start(run_config(folder, training(table), attempt=2, identity=known_as), 1)
    assert group.codes() == [0], group.end()
    (resumed,) = group.events("resumed")
    assert resumed["step"] == 14
    assert resumed["exactness"] in ("Bitwise", "StepExact"), resumed["reason"]  # with another CPU or PyTorch
    found, expected = (
        load((place / name).read_bytes())
        for place, name in ((newest_checkpoint(folder), "model.safetensors"), (folder, "expected.safetensors"))
    )
    for name, weights in expected.items():
        torch.testing.assert_close(found[name], weights, rtol=1e-3, atol=1e-4)
