"""Networks that a user's function makes: how they are called, and what is said about wrong ones."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.errors import CheckpointMismatch, UserError
from trainer.learning.state import load_weights
from trainer.models import Shapes, build_model
from trainingjob_api.spec.training import NetworkModel

SHAPES = Shapes((2, 3), 4)
ROWS = torch.tensor([[3.0, 0.5, 2.0, 8.0, 0.1, 1.0], [0.0, 0.25, 1.0, 4.0, 7.0, 9.0]])
"""Of the data: not scaled, and none below zero."""
HEADER = "import torch\nfrom torch import nn\n"  # two lines: the function below stands in line 3


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of modules, forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "").startswith(str(tmp_path)):
            del sys.modules[name]


def build(package: Path, source: str, entrypoint: str = "mine:network", **fields: Any) -> torch.nn.Module:
    (package / "mine.py").write_text(HEADER + source)
    torch.manual_seed(3)
    spec = NetworkModel.model_validate({"type": "custom", "entrypoint": entrypoint, **fields})
    return build_model(spec, SHAPES, ROWS)


def test_the_function_gets_the_model_section_and_the_shapes(package: Path) -> None:
    source = """
def network(spec, shapes):
    assert shapes.inputs == (2, 3) and shapes.features == 6
    hidden = spec.hidden_units[0]
    return nn.Sequential(nn.Linear(shapes.features, hidden), nn.Tanh(), nn.Linear(hidden, shapes.outputs))
"""
    model = build(package, source, hiddenUnits=[5])
    torch.manual_seed(3)
    by_hand = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4))
    rows = torch.randn(7, 6)
    assert torch.equal(model(rows), by_hand(rows))
    assert model.training
    assert [name for name, _ in model.named_parameters()] == [
        f"network.{name}" for name, _ in by_hand.named_parameters()
    ]


@pytest.mark.parametrize("count", [0, 1])
def test_it_need_not_be_made_for_few_rows(package: Path, count: int) -> None:
    source = """
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Flatten(), nn.Linear(6, 4), nn.BatchNorm1d(4))
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)

    def forward(self, rows):
        assert len(rows), "no rows"
        return self.layers(rows) * self.frozen

def network(spec, shapes):
    return Network()
"""
    model = build(package, source)
    assert all(not buffer.any() for name, buffer in model.named_buffers() if name.endswith(("mean", "tracked")))
    outputs = model(torch.randn(count, 6))
    assert outputs.shape == (count, 4)
    outputs.sum().backward()
    assert {name for name, parameter in model.named_parameters() if parameter.grad is None} == {"network.frozen"}


def test_it_need_not_take_what_the_data_do_not_have(package: Path) -> None:
    """Neither a category that does not exist, nor the logarithm or the root of a number below zero."""
    source = """
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.categories, self.layer = nn.Embedding(4, 2), nn.Linear(4, 4)

    def forward(self, rows):
        parts = self.categories(rows[:, 0].long()), rows[:, 1:2].log(), rows[:, 2:3].sqrt()
        return self.layer(torch.cat(parts, dim=1))

def network(spec, shapes):
    return Network()
"""
    assert build(package, source)(ROWS).isfinite().all()


LINEAR = "nn.Linear(6, 4)"
REFUSED = {
    "no such module": (
        "",
        "other.place:network",
        "there is no module 'other' on PYTHONPATH or in the working directory",
    ),
    "no such module in the package": ("", "mine.models:network", "there is no module 'mine.models' on PYTHONPATH"),
    "no such function": ("net = 1", "mine:network", r"mine\.py has no 'network'"),
    "not a function": ("network = 1", "mine:network", r"'network' in .*mine\.py is a int, not a function"),
    "a module that it needs": (
        "import not_installed",
        "mine:network",
        r"cannot be called: ModuleNotFoundError: No module named 'not_installed' \(.*mine\.py, line 3\)",
    ),
    "a mistake on import": ("a = 1 / 0", "mine:network", r"ZeroDivisionError: division by zero \(.*mine\.py, line 3\)"),
    "a mistake in writing": ("def network(:", "mine:network", r"SyntaxError: invalid syntax \(mine\.py, line 3\)"),
    "too few parameters": ("def network(spec): ...", "mine:network", "cannot be called: TypeError: network.. takes 1"),
    "a mistake when called": (
        "def network(spec, shapes):\n    return nn.Linear(-1, 2)",
        "mine:network",
        r"RuntimeError: .* \(.*mine\.py, line 4\)",
    ),
    "nothing returned": ("def network(spec, shapes): ...", "mine:network", "returned None, not a torch.nn.Module"),
    "something else returned": ("def network(*_): return 'x'", "mine:network", "returned a str, not a torch.nn.Module"),
    "inputs of another shape": (
        "def network(*_): return nn.Linear(5, 4)",
        "mine:network",
        r"the network cannot take two rows in training: RuntimeError: .*mat1 and mat2 shapes cannot be multiplied",
    ),
    "a mistake in forward": (
        "class N(nn.Module):\n    def forward(self, rows):\n        return rows.nonsense\ndef network(*_): return N()",
        "mine:network",
        r"cannot take two rows in training: AttributeError: .*'nonsense' \(.*mine\.py, line 5\)",
    ),
    "outputs of another shape": (
        "def network(*_): return nn.Linear(6, 3)",
        "mine:network",
        r"the network gives a tensor of the shape \(2, 3\), not \(2, 4\)",
    ),
    "outputs of another shape for a single row": (
        f"class N(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = {LINEAR}\n"
        "    def forward(self, rows): return self.layer(rows).squeeze()\ndef network(*_): return N()",
        "mine:network",
        r"the network gives a tensor of the shape \(4,\), not \(1, 4\)",
    ),
    "a mistake in evaluation only": (
        f"class N(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = {LINEAR}\n"
        "    def forward(self, rows):\n        return self.layer(rows) if self.training else missing\n"
        "def network(*_): return N()",
        "mine:network",
        r"the network cannot take one row in evaluation: NameError: .*mine\.py, line 8\)",
    ),
    "outputs that are no tensor": (
        "def network(*_): return nn.LSTM(6, 4)",
        "mine:network",
        "the network gives a tuple, not a tensor of floating point numbers",
    ),
    "NaN": (
        f"def network(*_):\n    layer = {LINEAR}\n    layer.bias.data[0] = float('nan')\n    return layer",
        "mine:network",
        "the network gives NaN or infinity for the first rows of the data",
    ),
    "nothing to train": (
        "def network(*_): return N()\nclass N(nn.Module):\n    def forward(self, rows): return rows[:, :4]",
        "mine:network",
        "no parameter of the network leads to its outputs: there is nothing to train",
    ),
    "a parameter without a part": (
        "class N(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.used, self.spare = {LINEAR}, {LINEAR}\n"
        "    def forward(self, rows): return self.used(rows)\ndef network(*_): return N()",
        "mine:network",
        r"the parameter spare.weight plays no part in the outputs \(2 such\). Take it out, or freeze it",
    ),
}


@pytest.mark.parametrize(("source", "entrypoint", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_is_refused_with_its_place(
    package: Path, source: str, entrypoint: str, message: str
) -> None:
    with pytest.raises(UserError, match=f"training.model.entrypoint {entrypoint}: .*{message}"):
        build(package, source, entrypoint)


def test_weights_of_other_code_are_refused(package: Path) -> None:
    before = build(package, "def network(*_): return nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))")
    del sys.modules["mine"]
    after = build(package, "def network(*_): return nn.Sequential(nn.Linear(6, 55), nn.Linear(55, 4))")
    with pytest.raises(
        CheckpointMismatch, match=r"training.model: .* do not fit .*: size mismatch for network.0.weight"
    ):
        load_weights(after, before.state_dict())
