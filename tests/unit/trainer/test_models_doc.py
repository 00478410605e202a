"""What docs/models.md shows is what works."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from trainer.data.dataset import DataFacts
from trainer.data.scaling import Scaling
from trainer.export import export
from trainer.export_formats import formats_of, write_program
from trainer.models import Shapes, build_model
from trainingjob_api.spec.training import Training

TEXT = (Path(__file__).parents[3] / "docs/models.md").read_text()
RECIPES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def recipe(text: str) -> Training:
    return Training.model_validate({"task": "classification", **yaml.safe_load(text)})


@pytest.mark.parametrize("text", RECIPES, ids=[recipe(text).model.type for text in RECIPES])
def test_a_recipe_is_valid_and_has_the_defaults_that_it_says(text: str) -> None:
    training = recipe(text)
    fields = yaml.safe_load(text)["model"]
    for line in text.splitlines():
        if "this is the default" in line:
            name = line.split(":")[0].strip()
            shape = (1, 28, 28) if training.model.type == "cnn" else (24, 3)
            without = training.model.model_validate({key: value for key, value in fields.items() if key != name})
            counts = [
                sum(weight.numel() for weight in build_model(model, Shapes(shape, 3)).parameters())
                for model in (training.model, without)
            ]
            assert counts[0] == counts[1], name


def test_the_programs_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, with_load, with_torch, with_onnx = PROGRAMS
    (tmp_path / "network.py").write_text(network)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "network", raising=False)
    monkeypatch.chdir(tmp_path)
    custom = next(recipe(text) for text in RECIPES if "entrypoint" in text)
    training = custom.model_copy(update={"export": recipe(RECIPES[-1]).export})
    scaling = Scaling(np.array([5.8, 3.0, 3.8, 1.2]), np.array([0.8, 0.4, 1.8, 0.8]))
    labels = ("setosa", "versicolor", "virginica")
    model = build_model(training.model, Shapes((4,), 3))
    with torch.no_grad():
        model.get_parameter("network.direct.bias").add_(torch.tensor([50.0, 0.0, 0.0]))
    export(tmp_path / "model", model.eval(), training, DataFacts(COLUMNS, (4,), "label", scaling, labels))
    for each in formats_of(training):
        write_program(each, tmp_path / "model", torch.randn(3, 4))

    assert answer(with_load) == ["setosa"]
    monkeypatch.chdir(tmp_path / "model")
    assert answer(with_torch) == "setosa"
    assert answer(with_onnx) == "setosa"
    assert json.loads((tmp_path / "model" / "model.json").read_text())["features"] == list(COLUMNS)


def answer(program: str) -> Any:
    """The value of its last line."""
    lines = program.strip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(lines[:-1]), names)
    return eval(lines[-1], names)
