"""How much work a network makes of one row."""

import torch
from torch import Tensor, nn

from trainer.models.shapes import Shapes


def multiply_adds(model: nn.Module, shapes: Shapes) -> int:
    """Roughly, in a forward pass of one row: every weight, times the pixels or time steps at which it is used."""
    total = 0

    def count(layer: nn.Module, _: object, outputs: object) -> None:
        nonlocal total
        weights = sum(weight.numel() for weight in layer.parameters(recurse=False) if weight.dim() > 1)
        total += weights * (_places(layer, outputs) if weights else 0)

    hooks = [layer.register_forward_hook(count) for layer in model.modules()]
    mode, device = model.training, next(model.parameters()).device
    with torch.no_grad():
        model.eval()(torch.zeros(1, shapes.features, device=device))
    model.train(mode)
    for hook in hooks:
        hook.remove()
    return total


def _places(layer: nn.Module, outputs: object) -> int:
    """Channels come second in images, last in everything else."""
    if isinstance(outputs, tuple):  # of recurrent layers and attention
        outputs = outputs[0]
    if not isinstance(outputs, Tensor):
        return 1
    if isinstance(layer, nn.modules.conv._ConvNd):
        return outputs[0, 0].numel()
    return outputs[0].numel() // max(1, outputs.shape[-1])
