"""Exported models answer as the trained one does, whoever loads them."""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from support.waiting import wait_for
from trainer.config import Mounts
from trainer.container import available_memory
from trainer.data.dataset import DataFacts
from trainer.data.scaling import Scaling
from trainer.errors import UserError
from trainer.export import export, export_folder, load, require_writable
from trainer.export_formats import FILES, Format, formats_of, write_program
from trainer.export_process import Exporter, ends_soon
from trainer.models import Shapes, build_model
from trainingjob_api.spec.training import Training

LABELS = ("cat", "dog", "owl")
NETWORKS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "mlp": ((6,), {"type": "mlp", "hiddenUnits": [8], "batchNorm": True, "dropout": 0.3}),
    "cnn": (
        (3, 8, 6),
        {"type": "cnn", "channels": [4, 5], "kernelSizes": [3, 4], "batchNorm": True, "hiddenUnits": [7]},
    ),
    "lstm": ((5, 4), {"type": "lstm", "hiddenUnits": [6], "bidirectional": True}),
    "gru": ((5, 4), {"type": "gru", "hiddenUnits": [6], "readout": "max"}),
    "custom": ((6,), {"type": "custom", "entrypoint": "support.networks:normalised", "hiddenUnits": [8]}),
}


def recipe(model: dict[str, Any], task: str = "classification", **export_fields: Any) -> Training:
    data = {"path": "/t.csv", "target": "y", "sequence": {"length": 5}, "shape": None}
    if model["type"] == "cnn":
        data |= {"sequence": None, "shape": [3, 8, 6]}
    return Training.model_validate({"task": task, "data": data, "model": model, "export": export_fields})


def exported(folder: Path, shape: tuple[int, ...], training: Training, categories: int = 0) -> tuple[nn.Module, Tensor]:
    """A network that has seen data, exported; returns it with raw rows in the units of the data.

    categories: how many the first column has, as numbers from 0 that are not scaled.
    """
    chance = np.random.default_rng(3)
    channels = shape[0] if len(shape) == 3 else int(np.prod(shape))
    repetitions = int(np.prod(shape)) // channels
    shift, scale = (chance.uniform(low, high, channels) for low, high in ((-9, 9), (0.5, 30)))
    if categories:
        shift[0], scale[0] = 0, 1
    elif len(shape) == 1:
        shift[0] = 1_760_000_000  # seconds, of which float32 knows only every 128th
    scaling = Scaling(np.repeat(shift, repetitions), np.repeat(scale, repetitions))
    regression = training.task == "regression"
    torch.manual_seed(3)
    model = build_model(training.model, Shapes(shape, 1 if regression else len(LABELS)))
    scaled = torch.randn(33, int(np.prod(shape)))
    if categories:
        scaled[:, 0] = torch.arange(33) % categories
    model(scaled)  # running statistics
    of_target = Scaling(np.float64(100.0), np.float64(20.0)) if regression else None
    names = tuple(f"column-{number}" for number in range(shape[-1]))
    export(
        folder, model.eval(), training, DataFacts(names, shape, "y", scaling, None if regression else LABELS, of_target)
    )
    return model, torch.from_numpy(scaled.numpy() * scaling.scale + scaling.shift)


def some(features: int) -> Tensor:
    """Three scaled rows."""
    return torch.linspace(-2, 2, 3 * features).view(3, -1)


def answers(model: nn.Module, raw: Tensor, folder: Path, task: str) -> Tensor:
    """By hand: what the network says of scaled rows, in the target's terms."""
    facts = json.loads((folder / "model.json").read_text())
    repeated = raw.shape[1] // len(facts["inputScaling"]["shift"])
    shift, scale = (
        torch.tensor(facts["inputScaling"][name]).repeat_interleave(repeated) for name in ("shift", "scale")
    )
    with torch.no_grad():
        outputs = model(((raw - shift) / scale).float())
    return outputs.softmax(dim=1) if task == "classification" else outputs[:, 0].double() * 20 + 100


def by_torch_export(file: Path) -> Callable[[Tensor], Tensor]:
    program: Callable[[Tensor], Tensor] = torch.export.load(file).module()
    return program


def by_onnx(file: Path) -> Callable[[Tensor], Tensor]:
    session = onnxruntime.InferenceSession(file.read_bytes())
    return lambda rows: torch.from_numpy(session.run(None, {"rows": rows.numpy()})[0])


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_format_gives_the_same_answers(tmp_path: Path, kind: str) -> None:
    shape, fields = NETWORKS[kind]
    task = "regression" if kind == "gru" else "classification"
    training = recipe(fields, task, formats=["torchExport", "onnx"])
    model, raw = exported(tmp_path, shape, training)
    for each in formats_of(training):
        write_program(each, tmp_path, some(raw.shape[1]))
    expected = answers(model, raw, tmp_path, task)
    assert expected.std() > 0.01, "all rows are alike: nothing would be noticed"
    rows = raw.float() if kind == "cnn" else raw

    for program in (by_torch_export(tmp_path / "model.pt2"), by_onnx(tmp_path / "model.onnx")):
        for count in (33, 2, 1):
            torch.testing.assert_close(program(rows[:count]), expected[:count], rtol=1e-4, atol=1e-4)
    session = onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes())
    name, shown = ("probabilities", ["rows", 3]) if task == "classification" else ("values", ["rows"])
    assert [(each.name, each.shape) for each in session.get_inputs()] == [("rows", ["rows", raw.shape[1]])]
    assert [(each.name, each.shape) for each in session.get_outputs()] == [(name, shown)]
    predict = load(tmp_path)
    if task == "classification":
        assert predict(raw.tolist()) == [LABELS[number] for number in expected.argmax(dim=1)]
    else:
        assert predict(raw) == pytest.approx(expected.tolist(), rel=1e-5)
    assert predict(raw.view(-1, *shape)) == predict(raw)
    assert predict(raw[:0]) == []


@pytest.mark.parametrize(
    ("formats", "files"),
    [({}, []), ({"formats": ["safetensors"]}, []), ({"formats": ["safetensors", "onnx"]}, ["model.onnx"])],
    ids=["by default", "what is always written", "and more"],
)
def test_safetensors_is_always_written(tmp_path: Path, formats: dict[str, Any], files: list[str]) -> None:
    training = recipe(NETWORKS["mlp"][1], **formats)
    exported(tmp_path, (6,), training)
    for each in formats_of(training):
        write_program(each, tmp_path, some(6))
    assert {path.name for path in tmp_path.iterdir()} == {"model.json", "model.safetensors", *files}


def test_a_program_is_traced_with_rows_that_the_data_may_have(tmp_path: Path) -> None:
    training = recipe({"type": "custom", "entrypoint": "support.networks:embedded"}, formats=["torchExport"])
    model, raw = exported(tmp_path, (6,), training, categories=4)
    scaled = torch.cat([torch.tensor([[0.0], [3.0], [1.0]]), some(5)], dim=1)
    for each in formats_of(training):
        write_program(each, tmp_path, scaled)
    program = by_torch_export(tmp_path / "model.pt2")
    torch.testing.assert_close(program(raw), answers(model, raw, tmp_path, "classification"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", list(FILES))
def test_a_network_that_is_no_program_is_named_and_the_model_stays(tmp_path: Path, kind: Format) -> None:
    training = recipe({"type": "custom", "entrypoint": "support.networks:moody"}, formats=[kind])
    model, raw = exported(tmp_path, (6,), training)
    with pytest.raises(
        UserError, match=f"training.export.formats: {kind}: .*[Dd]ata-dependent.*Nothing is lost"
    ) as caught:
        write_program(kind, tmp_path, some(raw.shape[1]))
    assert len(str(caught.value)) < 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    assert load(tmp_path)(raw) == [
        LABELS[number] for number in answers(model, raw, tmp_path, "classification").argmax(1)
    ]


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    shape, fields = NETWORKS["cnn"]
    exported(tmp_path, shape, recipe(fields))
    with pytest.raises(ValueError, match=r"a row has 144 values, of the shape \[3, 8, 6\]; these .* \[3\]"):
        load(tmp_path)([[1.0, 2.0, 3.0]])


def test_what_names_its_columns_may_have_them_in_any_order(tmp_path: Path) -> None:
    exported(tmp_path, (6,), recipe(NETWORKS["mlp"][1]))
    model, values = load(tmp_path), torch.randn(3, 6, generator=torch.Generator().manual_seed(1)).double()
    columns = {f"column-{number}": values[:, number].tolist() for number in range(6)}
    turned = dict(reversed([*columns.items(), ("note", ["a", "b", "c"])]))
    table = pa.table(turned)
    assert torch.equal(model.outputs(table), model.outputs(values))
    assert torch.equal(model.outputs(table.to_pylist()), model.outputs(values))
    with pytest.raises(
        ValueError, match="there is no column 'column-3'; the model was trained on 'column-0', 'column-"
    ):
        model(table.drop(["column-3"]))
    with pytest.raises(ValueError, match="row 2, column 'column-3': the value is missing"):
        model([turned_row := table.to_pylist()[0], {**turned_row, "column-3": None}])


GOOD = [[1.0] * 6, [2.0] * 6]
FRAME = np.array([[1, 2, 3, 4, 5, "six"]], dtype=object)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param([*GOOD, [1, 2, math.nan, 4, 5, 6]], "row 3, column 'column-2': the value is nan", id="NaN"),
        pytest.param(
            torch.tensor([[1.0, math.inf, 3, 4, 5, 6]]), "row 1, column 'column-1': the value is inf", id="inf"
        ),
        pytest.param([*GOOD, [1, 2, 3, None, 5, 6]], "row 3, column 'column-3': the value is missing", id="nothing"),
        pytest.param(
            [*GOOD, [1, 2, 3, 4, 5, "6"]], "row 3, column 'column-5': the value is '6', not a number", id="text"
        ),
        pytest.param(FRAME, "row 1, column 'column-5': the value is 'six', not a number", id="a table with words"),
        pytest.param([*GOOD, [1, 2, 3]], "row 3 has 3 values; a row has 6 values", id="a row that is too short"),
        pytest.param([1.0] * 6, "row 1 is 1.0: a single row is a list in a list", id="a single row"),
        pytest.param(
            torch.ones(6), "row 1 is tensor(1.): a single row is a list in a list", id="a tensor of a single row"
        ),
        pytest.param(["setosa"], "row 1 is 'setosa': a single row is", id="a word"),
        pytest.param("setosa", "'setosa' is no list of rows", id="no rows at all"),
        pytest.param(3.5, "these rows are of the shape", id="a number"),
        pytest.param(None, "None is no list of rows", id="not even that"),
        pytest.param([[1, 2, 3, 4, 5, 1e300]], "the value is too large for this model: 1e+300", id="too large"),
        pytest.param([[1j] * 6], "'column-0': the value is 1j, not a number", id="complex"),
    ],
)
def test_what_cannot_be_answered_is_told_with_row_and_column(tmp_path: Path, rows: Any, words: str) -> None:
    exported(tmp_path, (6,), recipe(NETWORKS["mlp"][1]))
    with pytest.raises(ValueError, match=re.escape(words)):
        load(tmp_path)(rows)


@pytest.mark.parametrize(
    ("kind", "row", "words"),
    [
        pytest.param("lstm", 13, "row 1, step 4, column 'column-1': the value is nan", id="a window"),
        pytest.param("cnn", 13, "row 1, value 14 of 144: the value is nan", id="an image"),
    ],
)
def test_a_value_within_a_shape_is_named_by_its_place(tmp_path: Path, kind: str, row: int, words: str) -> None:
    shape, fields = NETWORKS[kind]
    _, raw = exported(tmp_path, shape, recipe(fields))
    raw[0, row] = math.nan
    for rows in (raw, raw.view(-1, *shape), raw.tolist()):
        with pytest.raises(ValueError, match=re.escape(words)):
            load(tmp_path)(rows)


def test_an_image_whose_channels_come_last_is_refused(tmp_path: Path) -> None:
    shape, fields = NETWORKS["cnn"]
    _, raw = exported(tmp_path, shape, recipe(fields))
    with pytest.raises(ValueError, match=re.escape("of the shape [3, 8, 6]; these rows are of the shape [8, 6, 3]")):
        load(tmp_path)(raw.view(-1, *shape).permute(0, 2, 3, 1))


def test_numbers_of_any_type_are_answered(tmp_path: Path) -> None:
    exported(tmp_path, (6,), recipe(NETWORKS["mlp"][1]))
    predict = load(tmp_path)
    expected = predict(GOOD)
    whole = np.array(GOOD, dtype=np.int32)
    for rows in (whole, whole.tolist(), tuple(map(tuple, GOOD)), torch.tensor(whole), whole.astype(object)):
        assert predict(rows) == expected
    assert predict([[Decimal(1)] * 6, [Fraction(2)] * 6]) == expected
    assert predict([]) == []


def test_programs_say_that_they_do_not_check(tmp_path: Path) -> None:
    training = recipe(NETWORKS["mlp"][1], formats=["torchExport", "onnx"])
    exported(tmp_path, (6,), training)
    for each in formats_of(training):
        write_program(each, tmp_path, some(6))
    session = onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes())
    inside = {"model.json": ""}
    torch.export.load(tmp_path / "model.pt2", extra_files=inside)
    for text in (inside["model.json"], session.get_modelmeta().custom_metadata_map["model.json"]):
        assert json.loads(text)["inputChecks"].startswith("none")


def test_pixels_of_a_channel_share_one_number(tmp_path: Path) -> None:
    shape, fields = NETWORKS["cnn"]
    exported(tmp_path, shape, recipe(fields))
    scaling = json.loads((tmp_path / "model.json").read_text())["inputScaling"]
    assert [len(scaling["shift"]), len(scaling["scale"])] == [3, 3]


@pytest.mark.parametrize(
    ("path", "folder"),
    [(None, "/checkpoints/model"), ("/models/mine", "/claims/m/mine"), ("/elsewhere/mine", "/elsewhere/mine")],
    ids=["by default", "in a mounted volume", "where no volume is known"],
)
def test_the_model_goes_where_the_recipe_says(path: str | None, folder: str) -> None:
    training = recipe(NETWORKS["mlp"][1], **({"path": path} if path else {}))
    assert export_folder(training, Path("/checkpoints"), Mounts({"/models": "/claims/m"})) == Path(folder)


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    training = recipe(NETWORKS["mlp"][1], path=f"{tmp_path}/file/model")
    with pytest.raises(
        UserError, match=r"training.export.path .*file/model cannot be written: .*nothing is trained again"
    ):
        exported(tmp_path / "file" / "model", (6,), training)
    with pytest.raises(UserError, match=r"training.export.path .*file/model cannot be written: .*mounted"):
        require_writable(tmp_path / "file" / "model", training)


def test_a_place_for_the_model_is_made(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b", recipe(NETWORKS["mlp"][1], path="/a/b"))
    assert (tmp_path / "a" / "b").is_dir()
    require_writable(tmp_path / "model", recipe(NETWORKS["mlp"][1]))
    assert not (tmp_path / "model").exists(), "the default one is made when there is a model"


def test_a_place_on_a_volume_that_is_read_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write wherever it is possible at all
    with pytest.raises(UserError, match="Permission denied"):
        require_writable(tmp_path, recipe(NETWORKS["mlp"][1], path="/models"))


@pytest.mark.parametrize(
    ("epochs", "seconds", "is_time"),
    [
        pytest.param(5, 4.0, True, id="in less than a minute"),
        pytest.param(50, 4.0, False, id="not yet"),
        pytest.param(1, 600.0, True, id="the last of long epochs"),
        pytest.param(2, 600.0, False, id="the one before it"),
        pytest.param(10, 0.1, False, id="too late to become ready"),
        pytest.param(0, 30.0, False, id="over"),
    ],
)
def test_when_to_get_ready_for_exporting(epochs: int, seconds: float, is_time: bool) -> None:
    assert ends_soon(epochs, seconds) is is_time


def test_a_process_beside_the_training_exports_as_the_rank_does(tmp_path: Path) -> None:
    training = recipe(NETWORKS["mlp"][1], formats=["torchExport"])
    _, raw = exported(tmp_path, (6,), training)
    exporter = Exporter(training, ranks=1)
    assert not exporter.has_written("torchExport"), "there is no process yet"
    exporter.start()
    wait_for(lambda: exporter.is_ready, "the process to be ready")
    exporter.begin(tmp_path, some(6))
    assert exporter.has_written("torchExport")
    beside = by_torch_export(tmp_path / "model.pt2")(raw)
    write_program("torchExport", tmp_path, some(6))
    assert torch.equal(beside, by_torch_export(tmp_path / "model.pt2")(raw))
    (tmp_path / "model.json").write_text("{}")
    exporter.begin(tmp_path, some(6))
    assert not exporter.has_written("torchExport"), "a process that has said its last is not waited for"


def test_what_a_process_beside_the_training_cannot_export_is_told_by_the_rank(tmp_path: Path) -> None:
    training = recipe({"type": "custom", "entrypoint": "support.networks:moody"}, formats=["torchExport"])
    exported(tmp_path, (6,), training)
    exporter = Exporter(training, ranks=1)
    exporter.start()
    wait_for(lambda: exporter.is_ready, "the process to be ready")
    exporter.begin(tmp_path, some(6))
    with pytest.raises(UserError, match=r"training.export.formats: torchExport: .*[Dd]ata-dependent.*Nothing is lost"):
        exporter.has_written("torchExport")


MEMINFO = "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n"


@pytest.mark.parametrize(
    ("files", "available"),
    [
        pytest.param({}, 8_000_000 * 1024, id="as much as the machine has"),
        pytest.param({"memory.max": "max", "memory.current": "5"}, 8_000_000 * 1024, id="no limit"),
        pytest.param(
            {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 500\ninactive_file 150"}, 450, id="v2"
        ),
        pytest.param(
            {
                "memory/memory.limit_in_bytes": "1000",
                "memory/memory.usage_in_bytes": "700",
                "memory/memory.stat": "total_inactive_file 50",
            },
            350,
            id="v1",
        ),
    ],
)
def test_memory_that_may_still_be_taken(tmp_path: Path, files: dict[str, str], available: int) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    assert available_memory(tmp_path, tmp_path / "meminfo") == available
