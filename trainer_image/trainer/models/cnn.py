"""Convolutions over images, then fully connected layers."""

from torch import nn

from trainer.errors import UserError
from trainer.models.layers import BatchNorm2d, Convolution, activation, dense
from trainer.models.shapes import Shapes
from trainingjob_api.spec.training import NetworkModel

DEFAULT_CHANNELS = (32, 64)
_DEFAULT_KERNEL = 3
_POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def cnn(spec: NetworkModel, shapes: Shapes) -> nn.Sequential:
    """UserError if the inputs are no images, or too small to be halved by every pooling."""
    if len(shapes.inputs) != 3:
        raise UserError(
            f"training.model.type: cnn needs images; a row of the data has the shape {list(shapes.inputs)}. "
            "Give training.data.shape [channels, height, width], or use type mlp"
        )
    channels = spec.channels or DEFAULT_CHANNELS
    kernels = spec.kernel_sizes or [_DEFAULT_KERNEL]
    layers: list[nn.Module] = [nn.Unflatten(1, shapes.inputs)]
    before, height, width = shapes.inputs
    for number, after in enumerate(channels):
        kernel = kernels[number if len(kernels) > 1 else 0]
        layers += _block(spec, before, after, kernel)
        before, (height, width) = after, _pooled(spec, number, height, width)
    return nn.Sequential(*layers, nn.Flatten(), *dense(spec, before * height * width, shapes.outputs))


def _block(spec: NetworkModel, before: int, after: int, kernel: int) -> list[nn.Module]:
    layers: list[nn.Module] = [Convolution(before, after, kernel)]
    if spec.batch_norm:
        layers.append(BatchNorm2d(after))
    layers.append(activation(spec))
    return layers if spec.pooling == "none" else [*layers, _POOLINGS[spec.pooling or "max"](2)]


def _pooled(spec: NetworkModel, number: int, height: int, width: int) -> tuple[int, int]:
    if spec.pooling == "none":
        return height, width
    if min(height, width) < 2:
        raise UserError(
            f"training.model.channels: the pooling after convolution {number + 1} halves images, and they are only "
            f"{height} x {width} there. Use at most {number} convolutions, or pooling: none"
        )
    return height // 2, width // 2
