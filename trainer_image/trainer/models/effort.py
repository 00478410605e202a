"""How much work a network makes of one row, and how much memory it takes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Effort:
    """Of a forward pass of one row."""

    multiply_adds: int
    """Roughly: every weight, times the pixels or time steps at which it is used."""
    widest: int
    """Values that the widest layer gives, or takes."""


def effort_of(model: nn.Module, row: Tensor) -> Effort:
    """row: one of the data (1, features)."""
    total, widest = 0, row.shape[1]

    def count(layer: nn.Module, _: object, outputs: object) -> None:
        nonlocal total, widest
        weights = sum(weight.numel() for weight in layer.parameters(recurse=False) if weight.dim() > 1)
        total += weights * (_places(layer, outputs) if weights else 0)
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        widest = max(widest, first.numel() if isinstance(first, Tensor) else 0)

    hooks = [layer.register_forward_hook(count) for layer in model.modules()]
    mode, device = model.training, next(model.parameters()).device
    with torch.no_grad():
        model.eval()(row.to(device))
    model.train(mode)
    for hook in hooks:
        hook.remove()
    return Effort(total, widest)


def _places(layer: nn.Module, outputs: object) -> int:
    """Channels come second in images, last in everything else."""
    if isinstance(outputs, tuple):  # of recurrent layers and attention
        outputs = outputs[0]
    if not isinstance(outputs, Tensor):
        return 1
    if isinstance(layer, nn.modules.conv._ConvNd):
        return outputs[0, 0].numel()
    return outputs[0].numel() // max(1, outputs.shape[-1])
