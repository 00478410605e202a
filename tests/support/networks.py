"""Networks as users write them, for tests of `model.entrypoint`."""

from torch import nn

from trainer.models import Shapes
from trainingjob_api.spec.training import NetworkModel


def normalised(spec: NetworkModel, shapes: Shapes) -> nn.Module:
    """With a layer that cannot take a single row in training."""
    width = spec.hidden_units[0]
    return nn.Sequential(
        nn.Linear(shapes.features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, shapes.outputs)
    )
