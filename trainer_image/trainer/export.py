"""The finished model as two files, and how to use them again: `load(folder)`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer.checkpoint import tensors as safe
from trainer.checkpoint.files import replace
from trainer.data.classes import Label
from trainer.data.dataset import DataFacts
from trainer.models import Shapes, build_model
from trainingjob_api.spec.training import NetworkModel, Training

_WEIGHTS, _DESCRIPTION = "model.safetensors", "model.json"


def export(folder: Path, model: nn.Module, recipe: Training, facts: DataFacts) -> None:
    """Writes weights, and everything that is needed to use them: architecture, columns, scaling, classes."""
    folder.mkdir(exist_ok=True)
    replace(folder / _WEIGHTS, safe.encode(model.state_dict()))
    replace(folder / _DESCRIPTION, json.dumps(_description(recipe, facts), indent=1).encode() + b"\n")


def _description(recipe: Training, facts: DataFacts) -> dict[str, Any]:
    target = facts.target_scaling
    return {
        "format": 1,
        "task": recipe.task,
        "architecture": recipe.model.to_json_object(),
        "features": list(facts.features),
        "shape": list(facts.shape),
        "inputScaling": {"shift": facts.scaling.shift.tolist(), "scale": facts.scaling.scale.tolist()},
        "target": facts.target,
        "labels": list(facts.labels) if facts.labels is not None else None,
        "outputScaling": {"shift": float(target.shift), "scale": float(target.scale)} if target else None,
        "use": "(value - shift) / scale for each input; classes: labels[argmax]; numbers: output * scale + shift",
    }


@dataclass(frozen=True)
class Predictor:
    """A trained model that takes values as they are in the data and answers in the target's own terms."""

    model: nn.Module
    description: dict[str, Any]

    def __call__(self, rows: Sequence[Sequence[float]] | Tensor) -> list[Label]:
        """One answer for each row: a class, or a number in units of the target."""
        outputs = self.outputs(rows)
        if labels := self.description["labels"]:
            return [labels[number] for number in outputs.argmax(dim=1).tolist()]
        scaling = self.description["outputScaling"]
        answers: list[Label] = (outputs[:, 0].double() * scaling["scale"] + scaling["shift"]).tolist()
        return answers

    @torch.no_grad()
    def outputs(self, rows: Sequence[Sequence[float]] | Tensor) -> Tensor:
        """What the network itself says: one logit for each class, or one scaled number."""
        scaling = self.description["inputScaling"]
        inputs = torch.as_tensor(rows, dtype=torch.float64)
        scaled = (inputs - torch.tensor(scaling["shift"])) / torch.tensor(scaling["scale"], dtype=torch.float64)
        outputs: Tensor = self.model(scaled.float())
        return outputs


def load(folder: Path | str) -> Predictor:
    """Opens an exported model."""
    description = json.loads((Path(folder) / _DESCRIPTION).read_text())
    outputs = len(description["labels"]) if description["labels"] else 1
    architecture = NetworkModel.model_validate(description["architecture"])
    model = build_model(architecture, Shapes(tuple(description["shape"]), outputs))
    model.load_state_dict(safe.decode((Path(folder) / _WEIGHTS).read_bytes()))
    return Predictor(model.eval(), description)
