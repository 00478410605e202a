"""A network that a function of the user's makes, tried before training depends on it."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer.errors import UserError, told
from trainer.models.layers import BatchNorm1d, BatchNorm2d, buffers_kept
from trainer.models.shapes import Shapes
from trainingjob_api.spec.training import NetworkModel

_FOR_FEW_ROWS: dict[type, type] = {nn.BatchNorm1d: BatchNorm1d, nn.BatchNorm2d: BatchNorm2d}


class Custom(nn.Module):
    """The user's network, which never sees a batch without rows: few networks are made for that."""

    def __init__(self, network: nn.Module, outputs: int) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs
        for layer in network.modules():  # of another class, but with the same parameters, buffers and names
            layer.__class__ = _FOR_FEW_ROWS.get(type(layer), type(layer))

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.network(rows) if rows.shape[0] else self._of_no_rows(rows)
        return outputs

    def _of_no_rows(self, rows: Tensor) -> Tensor:
        """Depends on every parameter: all ranks wait until each has a gradient for each."""
        tie = torch.stack([parameter.sum() for parameter in self.network.parameters()]).sum()
        return rows.new_zeros(0, self.outputs) + 0 * tie


def custom(spec: NetworkModel, shapes: Shapes, rows: Tensor | None) -> Custom:
    """Calls the entrypoint and tries what it returns with rows (2, features). UserError says what is wrong where."""
    with _blamed(spec, "cannot be called"):
        network = _function(spec)(spec, shapes)
    if not isinstance(network, nn.Module):
        raise _refusal(spec, f"returned {_name(network)}, not a torch.nn.Module")
    model = Custom(network, shapes.outputs)
    if rows is not None:
        _try(spec, shapes, model, rows)
    return model.train()


def _try(spec: NetworkModel, shapes: Shapes, model: Custom, rows: Tensor) -> None:
    """With rows of the data: a logarithm or an embedding need not take any others."""
    with _blamed(spec, "the network cannot take two rows in training"), buffers_kept(model):
        outputs = model(rows)
        _require_fit(spec, (2, shapes.outputs), outputs)
        _require_trainable(spec, model.network, outputs)
    with _blamed(spec, "the network cannot take one row in evaluation"), torch.no_grad():
        _require_fit(spec, (1, shapes.outputs), model.eval()(rows[:1]))


def _function(spec: NetworkModel) -> Any:
    assert spec.entrypoint is not None
    module_name, _, name = spec.entrypoint.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # something that the user's own module imports
        raise _refusal(
            spec, f"there is no module {error.name!r} on PYTHONPATH or in the working directory {Path.cwd()}"
        ) from error
    if not hasattr(module, name):
        raise _refusal(spec, f"{module.__file__} has no {name!r}")
    function = getattr(module, name)
    if not callable(function):
        raise _refusal(spec, f"{name!r} in {module.__file__} is {_name(function)}, not a function")
    return function


def _require_fit(spec: NetworkModel, expected: tuple[int, int], outputs: object) -> None:
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        raise _refusal(spec, f"the network gives {_name(outputs)}, not a tensor of floating point numbers")
    if outputs.shape != expected:
        raise _refusal(
            spec,
            f"the network gives a tensor of the shape {tuple(outputs.shape)}, not {expected}: "
            "shapes.outputs values for each row, of a single row too",
        )
    if not bool(outputs.isfinite().all()):
        raise _refusal(spec, "the network gives NaN or infinity for the first rows of the data, scaled as asked for")


def _require_trainable(spec: NetworkModel, network: nn.Module, outputs: Tensor) -> None:
    """Ranks sum the gradients of all parameters that ask for one: each must have one in every step."""
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    if not named or not outputs.requires_grad:
        raise _refusal(spec, "no parameter of the network leads to its outputs: there is nothing to train")
    gradients = torch.autograd.grad(outputs.sum(), list(named.values()), allow_unused=True)
    unused = [name for name, gradient in zip(named, gradients, strict=True) if gradient is None]
    if unused:
        raise _refusal(
            spec,
            f"the parameter {unused[0]} plays no part in the outputs ({len(unused)} such). "
            "Take it out, or freeze it with requires_grad_(False)",
        )


@contextmanager
def _blamed(spec: NetworkModel, what: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise _refusal(spec, f"{what}: {told(error)}") from error


def _refusal(spec: NetworkModel, what: str) -> UserError:
    return UserError(f"training.model.entrypoint {spec.entrypoint}: {what}")


def _name(value: object) -> str:
    return f"a {type(value).__name__}" if value is not None else "None"
