"""The finished model as two files, and how to use them again: `load(folder)`."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer.checkpoint import tensors as safe
from trainer.checkpoint.files import replace
from trainer.config import Mounts
from trainer.data.classes import Label
from trainer.data.dataset import DataFacts
from trainer.errors import UserError
from trainer.models import Shapes, build_model
from trainer.questions import Questions
from trainingjob_api.spec.training import NetworkModel, Training

DEFAULT_FOLDER = "model"
_WEIGHTS, _DESCRIPTION = "model.safetensors", "model.json"


def export_folder(recipe: Training, checkpoints: Path, mounts: Mounts) -> Path:
    """Where the finished model belongs."""
    path = _path_of(recipe)
    return checkpoints / DEFAULT_FOLDER if path is None else mounts.locate(path)


def _path_of(recipe: Training) -> str | None:
    """That of the recipe, as the container sees it; None: it names none."""
    return recipe.export.path if recipe.export else None


def export(folder: Path, model: nn.Module, recipe: Training, facts: DataFacts) -> None:
    """Writes weights, and everything that is needed to use them: architecture, columns, scaling, classes."""
    with _writing(
        recipe,
        "The last checkpoint is saved: with another path the model is exported at once, nothing is trained again",
    ):
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / _WEIGHTS, safe.encode(model.state_dict()))
        replace(folder / _DESCRIPTION, json.dumps(_description(recipe, facts), indent=1).encode() + b"\n")


def require_writable(folder: Path, recipe: Training) -> None:
    """UserError if the model will find no place: better told before a long training than after it."""
    if _path_of(recipe) is None:
        return
    with _writing(recipe, "Is the volume mounted there?"):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, os.strerror(EACCES), str(folder))


@contextmanager
def _writing(recipe: Training, next_step: str) -> Iterator[None]:
    """A place that the recipe names is the user's to mend."""
    try:
        yield
    except OSError as error:
        if (path := _path_of(recipe)) is None:
            raise
        raise UserError(f"training.export.path {path} cannot be written: {error}. {next_step}") from error


def _description(recipe: Training, facts: DataFacts) -> dict[str, Any]:
    target = facts.target_scaling
    return {
        "format": 1,
        "task": recipe.task,
        "architecture": recipe.model.to_json_object(),
        "features": list(facts.features),
        "shape": list(facts.shape),
        "inputScaling": {
            "shift": facts.scaling.shift[:: _repetitions(facts.shape)].tolist(),
            "scale": facts.scaling.scale[:: _repetitions(facts.shape)].tolist(),
        },
        "target": facts.target,
        "labels": list(facts.labels) if facts.labels is not None else None,
        "outputScaling": {"shift": float(target.shift), "scale": float(target.scale)} if target else None,
        "use": "(value - shift) / scale for each input (of images: for each channel); "
        "classes: labels[argmax]; numbers: output * scale + shift",
    }


def _repetitions(shape: Sequence[int]) -> int:
    """All pixels of a channel are scaled alike: one number stands for them."""
    return shape[1] * shape[2] if len(shape) == 3 else 1


@dataclass(frozen=True)
class Predictor:
    """A trained model that takes values as they are in the data and answers in the target's own terms."""

    model: nn.Module
    description: dict[str, Any]

    def __call__(self, rows: Any) -> list[Label]:
        """One answer for each row: a class, or a number in units of the target. See `outputs`."""
        outputs = self.outputs(rows)
        if labels := self.description["labels"]:
            return [labels[number] for number in outputs.argmax(dim=1).tolist()]
        scaling = self.description["outputScaling"]
        answers: list[Label] = (outputs[:, 0].double() * scaling["scale"] + scaling["shift"]).tolist()
        return answers

    @torch.no_grad()
    def outputs(self, rows: Any) -> Tensor:
        """What the network itself says: one logit for each class, or one scaled number.

        rows: numbers (rows, features), or with the shape that a row has, such as (rows, channels, height, width), as
        lists, array or tensor. ValueError names row and column of what is missing, NaN or no number.
        """
        questions, (shift, scale) = (
            Questions(self.description["features"], self.description["shape"]),
            self.input_scaling,
        )
        values = questions.read(rows)
        inputs = ((torch.from_numpy(values) - shift) / scale).float()
        questions.require(values, inputs.isfinite().numpy(), "is too large for this model:")
        outputs: Tensor = self.model(inputs)
        return outputs

    @property
    def input_scaling(self) -> tuple[Tensor, Tensor]:
        """Shift and scale of every value of a flat row, in float64."""
        scaling, times = self.description["inputScaling"], _repetitions(self.description["shape"])
        shift, scale = (torch.tensor(scaling[name], dtype=torch.float64) for name in ("shift", "scale"))
        return shift.repeat_interleave(times), scale.repeat_interleave(times)


def load(folder: Path | str) -> Predictor:
    """Opens an exported model. A custom network is made by its entrypoint, which must be importable."""
    description = json.loads((Path(folder) / _DESCRIPTION).read_text())
    outputs = len(description["labels"]) if description["labels"] else 1
    architecture = NetworkModel.model_validate(description["architecture"])
    model = build_model(architecture, Shapes(tuple(description["shape"]), outputs))
    model.load_state_dict(safe.decode((Path(folder) / _WEIGHTS).read_bytes()))
    return Predictor(model.eval(), description)
