"""The losses that a recipe can name, summed over rows: sums can be added over batches and ranks, averages cannot."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from trainingjob_api.base import given
from trainingjob_api.spec.training import Loss

LossSum = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) -> the sum over rows, a scalar in float32."""


def loss_sum(spec: Loss) -> LossSum:
    """Outputs are logits (rows, classes) with class numbers as targets, or values (rows, 1) with numbers as targets."""
    match spec.type:
        case "crossEntropy":
            return partial(F.cross_entropy, reduction="sum", label_smoothing=spec.label_smoothing or 0.0)
        case "multiMargin":
            return partial(multi_margin, margin=given(spec.margin, 1.0))
        case "focal":
            return partial(focal, gamma=given(spec.gamma, 2.0), alpha=spec.alpha)
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


def focal(outputs: Tensor, targets: Tensor, gamma: float, alpha: float | None = None) -> Tensor:
    """Sum of -a (1 - p)^gamma log p, p the probability of the true class; a is alpha, for class 0 it is 1 - alpha.

    Lin et al., Focal Loss for Dense Object Detection (2017), with softmax instead of a sigmoid.
    """
    log_p = F.log_softmax(outputs, dim=1).gather(1, targets[:, None]).squeeze(1)
    # Never 0, where a root has an infinite slope, which times log p = 0 would make the gradient NaN.
    doubt = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
    losses = -(doubt**gamma) * log_p
    if alpha is not None:
        losses = losses * torch.where(targets == 0, 1 - alpha, alpha)
    return losses.sum()


def _of_values(loss: LossSum) -> LossSum:
    # The targets are brought into shape, not the outputs: that would be an operation more on the way back.
    return lambda outputs, targets: loss(outputs, targets[:, None])
