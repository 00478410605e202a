"""The networks that a recipe can name."""

from torch import nn

from trainer.models.mlp import mlp
from trainingjob_api.spec.training import NetworkModel


def build_model(spec: NetworkModel, inputs: int, outputs: int) -> nn.Module:
    """The network for so many input columns and output values; weights come from torch's current seed."""
    return mlp(inputs, spec.hidden_units, outputs, spec.activation, spec.dropout)
