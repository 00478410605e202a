"""What is minimised and what is measured, for each task."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.data.dataset import DataFacts


@dataclass(frozen=True)
class Measures:
    """Averages over rows, in the units of the target."""

    loss: float
    accuracy: float | None = None
    mae: float | None = None
    rmse: float | None = None
    r2: float | None = None


class Objective(Protocol):
    """Sums can be added over batches and ranks; averages cannot. So everything is a sum until the end of an epoch."""

    @property
    def outputs(self) -> int:
        """Values that the network gives for each row."""
        ...

    @property
    def sums(self) -> int:
        """Length of what `tally` returns."""
        ...

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor: ...

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        """Float64 sums over the rows; the loss is the first."""
        ...

    def measures(self, sums: Sequence[float], rows: int) -> Measures: ...


@dataclass(frozen=True)
class Classification:
    """Cross-entropy and accuracy; targets are class numbers."""

    outputs: int
    sums: int = 2

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets, reduction="sum")

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        right = (outputs.argmax(dim=1) == targets).sum()
        return torch.stack((loss_sum.double(), right.double()))

    def measures(self, sums: Sequence[float], rows: int) -> Measures:
        return Measures(loss=sums[0] / rows, accuracy=sums[1] / rows)


@dataclass(frozen=True)
class Regression:
    """Mean squared error on scaled targets; reported in the target's own units."""

    shift: float
    scale: float
    outputs: int = 1
    sums: int = 4

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(outputs.squeeze(1), targets, reduction="sum")

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        absolute = (outputs.squeeze(1) - targets).abs().double().sum()
        exact = targets.double()
        return torch.stack((loss_sum.double(), absolute, exact.sum(), exact.square().sum()))

    def measures(self, sums: Sequence[float], rows: int) -> Measures:
        squared, absolute, total, total_squared = sums
        spread = total_squared - total * total / rows
        loss = squared / rows * self.scale**2
        return Measures(
            loss=loss,
            mae=absolute / rows * self.scale,
            rmse=sqrt(loss) if loss >= 0 else None,
            r2=1 - squared / spread if spread > 0 else None,
        )


def objective_for(facts: DataFacts) -> Objective:
    """Classes make a classification, numbers a regression."""
    if facts.labels is not None:
        return Classification(len(facts.labels))
    assert facts.target_scaling is not None
    return Regression(float(facts.target_scaling.shift), float(facts.target_scaling.scale))
