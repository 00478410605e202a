"""Networks of every kind in real ranks: interrupted, they end with the bits of those that were not."""

import base64
import gzip
import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml

from support.fork_server import ForkServer
from support.trainer import history_of, newest_tensors, recipe, run_config, trainer, write_table
from support.waiting import wait_for
from trainer.export import load
from trainer.pod.pulse import read_pulse
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import State

RANKS = 3
IMAGES, SEQUENCES = {"shape": [1, 2, 3]}, {"shape": [2, 3]}
AUGMENTED = {**IMAGES, "augmentation": {"rotateDegrees": 30, "horizontalFlip": True, "cropPadding": 1}}
NORMALISED = {"type": "cnn", "channels": [4, 4], "pooling": "none", "hiddenUnits": [8], "batchNorm": True}


@pytest.fixture(scope="module")
def held_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many rows that evaluation takes long enough to be met."""
    return write_table(tmp_path_factory.mktemp("held-back") / "validation.csv", 20_000, seed=2)


@pytest.mark.parametrize(
    ("data", "model"),
    [
        (AUGMENTED, {**NORMALISED, "dropout": 0.2}),
        (SEQUENCES, {"type": "lstm", "hiddenUnits": [5, 4], "bidirectional": True, "dropout": 0.2}),
    ],
    ids=["cnn with batch norm over augmented images", "lstm"],
)
def test_interrupted_in_training_and_in_evaluation(
    server: ForkServer,
    table: Path,
    held_back: Path,
    tmp_path: Path,
    data: dict[str, Any],
    model: dict[str, Any],
) -> None:
    """The last batch has a single row: one rank cannot normalise it, and two have none."""
    training = recipe(table, model=model, epochs=6, batchSize=20)
    training["data"] |= {"validation": {"path": str(held_back)}, **data}
    assert server.start(run_config(tmp_path / "undisturbed", training), RANKS).codes() == [0] * RANKS

    disturbed = tmp_path / "disturbed"
    first = server.start(run_config(disturbed, training), RANKS)
    assert first.wait_for_step(8)
    first.signal(signal.SIGTERM, [RANKS - 1])
    assert first.codes() == [ExitCode.STOPPED] * RANKS, first.end()
    second = server.start(run_config(disturbed, training, 2), RANKS)
    wait_for(
        lambda: (pulse := read_pulse(second.folder.pulse(0))) and pulse.state is State.EVALUATING, "evaluation", 0.002
    )
    second.signal(signal.SIGTERM, [0])
    assert second.codes() == [ExitCode.STOPPED] * RANKS, second.end()
    assert server.start(run_config(disturbed, training, 3), RANKS).codes() == [0] * RANKS
    assert newest_tensors(disturbed) == newest_tensors(tmp_path / "undisturbed")
    assert history_of(disturbed) == history_of(tmp_path / "undisturbed")


def test_a_rank_exports_programs_that_answer_as_its_model_does(server: ForkServer, table: Path, tmp_path: Path) -> None:
    """In ranks a stand-in has taken the compiler's place; exporting needs the real one."""
    export = {"formats": ["torchExport", "onnx"], "path": str(tmp_path / "models" / "mine")}
    training = recipe(table, epochs=3, export=export)
    assert server.start(run_config(tmp_path / "c", training), 2).codes() == [0, 0]

    rows = torch.from_numpy(np.loadtxt(table, delimiter=",", skiprows=1, usecols=range(6)))
    predict = load(tmp_path / "models" / "mine")
    expected = predict.outputs(rows).softmax(dim=1)
    program = torch.export.load(tmp_path / "models" / "mine" / "model.pt2").module()
    torch.testing.assert_close(program(rows), expected, rtol=1e-4, atol=1e-4)
    session = onnxruntime.InferenceSession((tmp_path / "models" / "mine" / "model.onnx").read_bytes())
    (by_onnx,) = session.run(None, {"rows": rows.numpy()})
    torch.testing.assert_close(torch.from_numpy(by_onnx), expected, rtol=1e-4, atol=1e-4)
    assert json.loads((tmp_path / "c" / "report.json").read_text())["model"]["folder"] == export["path"]


def test_a_buffer_may_hold_an_infinite_mask(server: ForkServer, table: Path, tmp_path: Path) -> None:
    training = recipe(table, model={"type": "custom", "entrypoint": "support.networks:masked"}, epochs=3)
    group = server.start(run_config(tmp_path, training), 1)
    assert group.codes() == [0], group.end()
    assert newest_tensors(tmp_path)


def test_an_export_that_fails_loses_nothing_and_is_made_up_for_without_training(
    server: ForkServer, table: Path, tmp_path: Path
) -> None:
    training = recipe(table, model={"type": "custom", "entrypoint": "support.networks:moody"}, epochs=3)
    group = server.start(run_config(tmp_path, {**training, "export": {"formats": ["onnx"]}}), 1, pictures=True)
    assert group.codes() == [ExitCode.USER_ERROR]
    end = group.end()
    assert end is not None
    assert end.message.startswith("training.export.formats: onnx: ")
    assert {"report.json", "curves.png", "model"} <= {path.name for path in tmp_path.iterdir()}
    assert not (tmp_path / "done.json").exists()
    before = newest_tensors(tmp_path)

    again = server.start(run_config(tmp_path, training, 2), 1)
    assert again.codes() == [0]
    assert newest_tensors(tmp_path) == before
    assert json.loads((tmp_path / "done.json").read_text())["outcome"] == "Completed"


def test_the_example_of_a_network_of_ones_own_trains_without_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code lies in the manifest; PYTHONPATH there is a path in the pod."""
    example = Path(__file__).parents[3] / "deploy/examples/iris-custom-network.yaml"
    with trainer(None, tmp_path, arguments=("--config", str(example), "--checkpoints", str(tmp_path))) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
    files = next(yaml.safe_load_all(example.read_text()))
    (tmp_path / "network.py").write_text(files["data"]["network.py"])
    lines = gzip.decompress(base64.b64decode(files["binaryData"]["test.csv.gz"])).decode().splitlines()[1:]
    rows = [line.split(",") for line in lines]

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "network", raising=False)
    predict = load(tmp_path / "default" / "iris-custom-network" / "model")
    answers = predict([[float(value) for value in row[:-1]] for row in rows])
    assert sum(answer == row[-1] for answer, row in zip(answers, rows, strict=True)) >= 0.9 * len(rows)


def test_a_wrong_entrypoint_ends_a_job_that_need_not_be_tried_again(tmp_path: Path, table: Path) -> None:
    training = recipe(table, model={"type": "custom", "entrypoint": "mine:network"})
    (tmp_path / "mine.py").write_text("def network(spec, shapes):\n    return undefined")
    with trainer(run_config(tmp_path / "c", training), tmp_path, ranks=2, PYTHONPATH=str(tmp_path)) as pod:
        assert pod.end() == ExitCode.USER_ERROR, pod.text()
    assert pod.message().message == (
        "training.model.entrypoint mine:network: cannot be called: NameError: name 'undefined' is not defined "
        f"({tmp_path}/mine.py, line 2)"
    )
