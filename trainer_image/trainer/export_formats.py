"""The finished model as programs that need nothing of this project: torch.export's and ONNX.

They take rows as they are in the data and answer in the target's terms: scaling is part of them.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from trainer.checkpoint.files import replace
from trainer.errors import UserError
from trainer.export import Predictor, load
from trainer.learning.without_compiler import restore_compiler
from trainingjob_api.spec.training import Training

Format = Literal["torchExport", "onnx"]
FILES: dict[Format, str] = {"torchExport": "model.pt2", "onnx": "model.onnx"}
"""What is made of `model.safetensors`, which is always there."""
DOING: dict[Format, str] = {"torchExport": "exporting with torch.export", "onnx": "exporting to ONNX"}
SECONDS: dict[Format, float] = {"torchExport": 3.0, "onnx": 4.0}
"""That the export of a small network takes on two cores."""
_TOLERANCE = 1e-4
_CHECKS = "none: what is NaN, infinite or missing is answered as if it were a number; look at rows before"


class Deployed(nn.Module):
    """Raw rows (rows, features) to float32 probabilities (rows, classes), or float64 values (rows,) of the target.

    Rows are float64 but for images: what is large against its spread, such as a time in seconds, needs the digits.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        shift, scale = predictor.input_scaling
        self.model = predictor.model
        kind = rows_type(predictor)
        self.register_buffer("shift", shift.to(kind))
        self.register_buffer("scale", scale.to(kind))
        self.target = predictor.description["outputScaling"]

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.model(((rows - self.shift) / self.scale).float())
        if self.target is None:
            return outputs.softmax(dim=1)
        values: Tensor = outputs.squeeze(1).double() * self.target["scale"] + self.target["shift"]
        return values


def rows_type(predictor: Predictor) -> torch.dtype:
    """Of what the programs take. Pixels have few digits, and some runtimes for them have no float64."""
    return torch.float32 if len(predictor.description["shape"]) == 3 else torch.float64


def formats_of(recipe: Training) -> list[Format]:
    """Those that a recipe asks for beside `model.safetensors`."""
    asked = recipe.export.formats if recipe.export is not None else []
    return [kind for kind in FILES if kind in asked]


def write_program(kind: Format, folder: Path, some: Tensor) -> None:
    """Makes a program out of the exported model in the folder.

    some: three rows of the data, scaled, which it is traced and tried with.
    UserError if this network cannot be brought into the format; the exported model stays as it is.
    """
    try:
        predictor = load(folder)
        content = program(kind, predictor, _in_units_of_the_data(predictor, some))
        replace(folder / FILES[kind], content)
    except Exception as error:
        raise UserError(
            f"training.export.formats: {kind}: {_reason(error)}. Nothing is lost: the model is in "
            f"{folder} (model.safetensors, model.json); take {kind} out of the formats, or change the network's "
            "code, and the job completes without training again"
        ) from error


def program(kind: Format, predictor: Predictor, rows: Tensor) -> bytes:
    """The content of the format's file; rows: some in units of the data."""
    restore_compiler()
    with _quiet():
        return _program(kind, predictor, rows)


def _program(kind: Format, predictor: Predictor, rows: Tensor) -> bytes:
    deployed = Deployed(predictor).eval()
    rows_of_any_number = {"rows": {0: torch.export.Dim("rows")}}
    program = torch.export.export(deployed, (rows,), dynamic_shapes=rows_of_any_number)
    description = json.dumps({**predictor.description, "inputChecks": _CHECKS})
    if kind == "torchExport":
        file = BytesIO()
        torch.export.save(program, file, extra_files={"model.json": description})
        _require_same_answers(predictor, torch.export.load(BytesIO(file.getvalue())).module(), rows)
        return file.getvalue()
    made = torch.onnx.export(
        program,
        (rows,),
        input_names=["rows"],
        output_names=["probabilities" if deployed.target is None else "values"],
        dynamic_shapes=rows_of_any_number,
        verbose=False,
    )
    assert made is not None
    made.model.metadata_props["model.json"] = description
    content: bytes = made.model_proto.SerializeToString()
    return content


def _in_units_of_the_data(predictor: Predictor, some: Tensor) -> Tensor:
    shift, scale = predictor.input_scaling
    return (shift + scale * some.double()).to(rows_type(predictor))


@torch.no_grad()
def _require_same_answers(predictor: Predictor, program: nn.Module, rows: Tensor) -> None:
    """One row as well as several: tracing may have taken a number of rows for a constant."""
    for some in (rows, rows[:1]):
        is_classes = predictor.description["labels"] is not None
        expected = predictor.outputs(some).softmax(dim=1) if is_classes else torch.tensor(predictor(some)).double()
        torch.testing.assert_close(program(some), expected, rtol=_TOLERANCE, atol=_TOLERANCE)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch says to its own developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _reason(error: Exception) -> str:
    """Its first line: PyTorch adds pages about its graphs."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
