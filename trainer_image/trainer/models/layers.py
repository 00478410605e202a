"""Layers that several networks are made of. All of them take batches of any size, none and one row included.

A rank's share of an odd last batch may be a single row or empty, while the others have more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainingjob_api.spec.training import NetworkModel

_DEFAULT_ACTIVATION = "relu"
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leakyRelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "selu": nn.SELU,
}


def activation(spec: NetworkModel) -> nn.Module:
    return _ACTIVATIONS[spec.activation or _DEFAULT_ACTIVATION]()


def dense(spec: NetworkModel, inputs: int, outputs: int) -> list[nn.Module]:
    """Hidden layers of `hiddenUnits`, each linear, normalised, activated, dropped out; the last layer is linear."""
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise([inputs, *spec.hidden_units]):
        layers.append(nn.Linear(width_in, width_out))
        if spec.batch_norm:
            layers.append(BatchNorm1d(width_out))
        layers.append(activation(spec))
        if spec.dropout:
            layers.append(nn.Dropout(spec.dropout))
    return [*layers, nn.Linear(spec.hidden_units[-1], outputs)]


class BatchNorm1d(nn.BatchNorm1d):
    """Where fewer than two values have no deviation, it normalises with the running statistics and keeps them."""

    def forward(self, inputs: Tensor) -> Tensor:
        return _with_running(self, inputs) if _too_few(self, inputs) else super().forward(inputs)


class BatchNorm2d(nn.BatchNorm2d):
    """As BatchNorm1d. nn.BatchNorm2d moves its running statistics towards zero when it is given no rows."""

    def forward(self, inputs: Tensor) -> Tensor:
        return _with_running(self, inputs) if _too_few(self, inputs) else super().forward(inputs)


def _too_few(norm: nn.BatchNorm1d | nn.BatchNorm2d, inputs: Tensor) -> bool:
    return norm.training and norm.running_mean is not None and inputs.numel() < 2 * inputs.shape[1]


def _with_running(norm: nn.BatchNorm1d | nn.BatchNorm2d, inputs: Tensor) -> Tensor:
    return F.batch_norm(inputs, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


class Convolution(nn.Conv2d):
    """Images (rows, channels, height, width) to as many of the same height and width."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=(kernel - 1) // 2)
        # A kernel of even size has no middle: it reaches one pixel further to the right and down.
        self._reach = (0, 1, 0, 1) if kernel % 2 == 0 else None

    def forward(self, images: Tensor) -> Tensor:
        if images.is_cuda:  # channels last is what tensor cores work on; a no-op after the first convolution
            images = images.contiguous(memory_format=torch.channels_last)
        return super().forward(images if self._reach is None else F.pad(images, self._reach))


@contextmanager
def buffers_kept(model: nn.Module) -> Iterator[None]:
    """What passes through the model inside leaves no trace in its buffers, such as running statistics."""
    before = [buffer.clone() for buffer in model.buffers()]
    yield
    with torch.no_grad():
        for buffer, value in zip(model.buffers(), before, strict=True):
            buffer.copy_(value)
