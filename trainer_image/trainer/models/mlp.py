"""Fully connected layers."""

from torch import nn

from trainer.models.layers import dense
from trainer.models.shapes import Shapes
from trainingjob_api.spec.training import NetworkModel


def mlp(spec: NetworkModel, shapes: Shapes) -> nn.Sequential:
    """Hidden layers and a linear one; inputs of any shape are taken as they lie in a row."""
    return nn.Sequential(*dense(spec, shapes.features, shapes.outputs))
