"""Networks as users write them, for tests of `model.entrypoint`."""

import torch
from torch import Tensor, nn

from trainer.models import Shapes
from trainingjob_api.spec.training import NetworkModel


def normalised(spec: NetworkModel, shapes: Shapes) -> nn.Module:
    """With a layer that cannot take a single row in training."""
    width = spec.hidden_units[0]
    return nn.Sequential(
        nn.Linear(shapes.features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, shapes.outputs)
    )


class _Moody(nn.Module):
    """Does one thing or another by what it sees, as no exported program can."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.linear = nn.Linear(shapes.features, shapes.outputs)

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.linear(rows)
        return outputs if float(rows.sum()) > 0 else -outputs


class _Masked(nn.Module):
    """As attention keeps what may not be looked at."""

    mask: Tensor

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.linear = nn.Linear(shapes.features, shapes.outputs)
        self.register_buffer("mask", torch.full((3,), float("-inf")))

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.linear(rows)
        return outputs


class _Embedded(nn.Module):
    """Takes its first column for the number of a category."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.categories = nn.Embedding(4, 3)
        self.linear = nn.Linear(3 + shapes.features - 1, shapes.outputs)

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.linear(torch.cat([self.categories(rows[:, 0].long()), rows[:, 1:]], dim=1))
        return outputs


class _Remembering(nn.Module):
    """Reads its columns one by one, and what comes out of an LSTM through a layer that autocast shortens."""

    def __init__(self, units: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(1, units)
        self.memory = nn.LSTM(units, units, batch_first=True)
        self.last = nn.Linear(units, outputs)

    def forward(self, rows: Tensor) -> Tensor:
        seen, _ = self.memory(self.first(rows.unsqueeze(2)))
        outputs: Tensor = self.last(seen[:, -1])
        return outputs


def embedded(spec: NetworkModel, shapes: Shapes) -> nn.Module:
    return _Embedded(shapes)


def remembering(spec: NetworkModel, shapes: Shapes) -> nn.Module:
    return _Remembering(spec.hidden_units[0], shapes.outputs)


def masked(spec: NetworkModel, shapes: Shapes) -> nn.Module:
    return _Masked(shapes)


def moody(spec: NetworkModel, shapes: Shapes) -> nn.Module:
    return _Moody(shapes)
