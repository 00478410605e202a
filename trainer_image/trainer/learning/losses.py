"""The losses that a recipe can name, summed over rows: sums can be added over batches and ranks, averages cannot."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.errors import UserError
from trainingjob_api.base import given
from trainingjob_api.spec.training import Loss

LossSum = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) -> the sum over rows, a scalar in float32."""


def loss_sum(spec: Loss, weights: tuple[float, ...] | None = None) -> LossSum:
    """Outputs are logits (rows, classes) with class numbers as targets, or values (rows, 1) with numbers as targets.

    weights: of each class, which only a focal loss has (see `class_weights`).
    """
    match spec.type:
        case "crossEntropy":
            return partial(F.cross_entropy, reduction="sum", label_smoothing=spec.label_smoothing or 0.0)
        case "multiMargin":
            return partial(multi_margin, margin=given(spec.margin, 1.0))
        case "focal":
            return partial(focal, gamma=given(spec.gamma, 2.0), weights=weights)
        case "mse":
            return _of_values(partial(F.mse_loss, reduction="sum"))
        case "mae":
            return _of_values(partial(F.l1_loss, reduction="sum"))
        case "huber":
            return _of_values(partial(F.huber_loss, reduction="sum", delta=given(spec.delta, 1.0)))


def multi_margin(outputs: Tensor, targets: Tensor, margin: float) -> Tensor:
    """Sum of what each other class lacks to a margin below the true one, averaged over the classes."""
    if len(outputs) == 0:  # PyTorch gives back what it found in the memory
        return outputs.sum()
    return F.multi_margin_loss(outputs, targets, reduction="sum", margin=margin)


def class_weights(spec: Loss, labels: Sequence[object], by_alpha: bool) -> tuple[float, ...] | None:
    """What a row of each class counts; None: all the same. UserError if the weights do not fit the classes.

    by_alpha: whether more than two classes may be weighted by `alpha` alone, as version 0.1 did it.
    """
    order = ", ".join(map(str, labels))
    if spec.alphas is not None and len(spec.alphas) != len(labels):
        raise UserError(
            f"training.loss.alphas has {len(spec.alphas)} weights, the data has {len(labels)} classes. "
            f"Give one for each, in this order: {order}"
        )
    if spec.alpha is not None and len(labels) > 2 and not by_alpha:
        raise UserError(
            f"training.loss.alpha is for two classes, the data has {len(labels)}. "
            f"Give alphas instead, a weight for each, in this order: {order}"
        )
    if spec.alpha is not None:
        return (1 - spec.alpha, *[spec.alpha] * (len(labels) - 1))
    return tuple(spec.alphas) if spec.alphas else None


@lru_cache
def _on(device: torch.device, kind: torch.dtype, weights: tuple[float, ...]) -> Tensor:
    """Made once: a copy to a device in every step would wait for it."""
    return torch.tensor(weights, dtype=kind, device=device)


def focal(outputs: Tensor, targets: Tensor, gamma: float, weights: tuple[float, ...] | None = None) -> Tensor:
    """Sum of -a (1 - p)^gamma log p, p the probability of the true class and a its weight.

    Lin et al., Focal Loss for Dense Object Detection (2017), with softmax instead of a sigmoid.
    """
    log_p = F.log_softmax(outputs, dim=1).gather(1, targets[:, None]).squeeze(1)
    # Never 0, where a root has an infinite slope, which times log p = 0 would make the gradient NaN.
    doubt = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
    losses = -(doubt**gamma) * log_p
    if weights is not None:
        losses = losses * _on(losses.device, losses.dtype, weights)[targets]
    return losses.sum()


def _of_values(loss: LossSum) -> LossSum:
    # The targets are brought into shape, not the outputs: that would be an operation more on the way back.
    return lambda outputs, targets: loss(outputs, targets[:, None])
