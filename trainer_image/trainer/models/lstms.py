"""LSTMs in a short type on a CPU. Not every CPU has them, and PyTorch says so only by failing."""

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence


def has_lstms(model: nn.Module) -> bool:
    return any(isinstance(layer, nn.LSTM) for layer in model.modules())


def can_train_lstms(precision: torch.dtype) -> bool:
    """Whether this CPU can: tried once, in evaluation as well as in training, forward and backward.

    In float16 it is not tried: hardly a CPU can, and all are to give the same numbers.
    """
    if precision is torch.float16:
        return False
    layer = nn.LSTM(1, 1, device="meta").to_empty(device="cpu")  # draws no random numbers
    try:
        with torch.autocast("cpu", precision):
            with torch.no_grad():
                layer.eval()(torch.zeros(1, 1, 1))
            layer.train()(torch.zeros(1, 1, 1))[0].sum().backward()
    except RuntimeError:
        return False
    return True


def keep_lstms_in_float32(model: nn.Module) -> None:
    """From here on the model's LSTMs compute in float32, whatever autocast says; parameters and names stay."""
    for layer in model.modules():
        if isinstance(layer, nn.LSTM):
            layer.__class__ = _in_float32(type(layer))  # type: ignore[arg-type]


@cache
def _in_float32(kind: type[nn.LSTM]) -> type[nn.LSTM]:
    def forward(self: nn.LSTM, *inputs: Any, **named: Any) -> Any:
        with torch.autocast("cpu", enabled=False):
            return kind.forward(self, *map(_float, inputs), **{name: _float(value) for name, value in named.items()})

    # The compiler leaves PyTorch's own recurrent layers out, and fails where one is called in this way.
    return type(kind.__name__, (kind,), {"forward": torch.compiler.disable(forward)})  # type: ignore[no-untyped-call]


def _float(value: Any) -> Any:
    """Of a sequence, a packed one, or the two states in which an LSTM begins."""
    if isinstance(value, torch.Tensor | PackedSequence):
        return value.float()
    return tuple(map(_float, value)) if isinstance(value, tuple) else value
