"""What is minimised and what is measured, for each task."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import torch
from torch import Tensor

from trainer.data.dataset import DataFacts
from trainer.losses import LossSum, loss_sum
from trainingjob_api.spec.training import Loss, Training


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

    @property
    def loss_sum(self) -> LossSum:
        """The loss of a batch, summed over its rows."""
        ...

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        """Float64 sums over the rows; the loss is the first."""
        ...

    def measures(self, sums: Sequence[float], rows: int) -> Measures: ...


@dataclass(frozen=True)
class Classification:
    """A loss on logits, and accuracy; targets are class numbers."""

    outputs: int
    loss_sum: LossSum
    sums: int = 2

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        right = (outputs.argmax(dim=1) == targets).sum()
        return torch.stack((loss_sum.double(), right.double()))

    def measures(self, sums: Sequence[float], rows: int) -> Measures:
        return Measures(loss=sums[0] / rows, accuracy=sums[1] / rows)


@dataclass(frozen=True)
class Regression:
    """A loss on scaled targets; reported in the target's own units."""

    shift: float
    scale: float
    loss_sum: LossSum
    loss_power: int
    """Of the scale in the loss: 1 for mae, 2 for what is a square near zero."""
    outputs: int = 1
    sums: int = 5

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        errors = (outputs.squeeze(1) - targets).double()
        exact = targets.double()
        return torch.stack(
            (loss_sum.double(), errors.abs().sum(), errors.square().sum(), exact.sum(), exact.square().sum())
        )

    def measures(self, sums: Sequence[float], rows: int) -> Measures:
        loss, absolute, squared, total, total_squared = sums
        spread = total_squared - total * total / rows
        return Measures(
            loss=loss / rows * self.scale**self.loss_power,
            mae=absolute / rows * self.scale,
            rmse=sqrt(squared / rows) * self.scale if squared >= 0 else None,
            r2=1 - squared / spread if spread > 0 else None,
        )


def objective_for(recipe: Training, facts: DataFacts) -> Objective:
    """Classes make a classification, numbers a regression."""
    loss = recipe.loss or Loss(type="crossEntropy" if recipe.task == "classification" else "mse")
    if facts.labels is not None:
        return Classification(len(facts.labels), loss_sum(loss))
    assert facts.target_scaling is not None
    shift, scale = float(facts.target_scaling.shift), float(facts.target_scaling.scale)
    return Regression(shift, scale, loss_sum(loss), 1 if loss.type == "mae" else 2)
