"""What is minimised and what is measured, for each task."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import torch
from torch import Tensor

from trainer.data.dataset import DataFacts
from trainer.learning.class_counts import ClassCounts, count_classes, counts_length, curves_of
from trainer.learning.exactness import RULES
from trainer.learning.losses import LossSum, class_weights, loss_sum
from trainer.learning.measures import Measures
from trainer.learning.roc import Curve
from trainingjob_api.spec.training import Loss, Training


@dataclass(frozen=True)
class Seen:
    """What all ranks together saw of rows that are not trained on."""

    rows: int
    sums: Tensor
    """Of what `Objective.evaluate` returned."""
    curves: Sequence[Curve] = ()


class Objective(Protocol):
    """Sums can be added over batches and ranks; averages cannot. So everything is a sum until the end of an epoch.

    Of training rows little is summed up, because it costs time in every step; of other rows everything.
    """

    @property
    def outputs(self) -> int:
        """Values that the network gives for each row."""
        ...

    @property
    def train_sums(self) -> int:
        """Length of what `tally` returns."""
        ...

    @property
    def evaluation_sums(self) -> int:
        """Length of what `evaluate` returns."""
        ...

    @property
    def curves(self) -> int:
        """ROC curves of rows that are not trained on."""
        ...

    @property
    def loss_sum(self) -> LossSum:
        """The loss of a batch, summed over its rows."""
        ...

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        """Float64 sums over rows that are trained on; the loss is the first."""
        ...

    def train_measures(self, sums: Tensor, rows: int) -> Measures: ...

    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Float64 sums over rows that are not trained on; the loss is the first."""
        ...

    def evaluation_measures(self, seen: Seen) -> Measures: ...


@dataclass(frozen=True)
class Classification:
    """A loss on logits, and counts of classes; targets are class numbers."""

    outputs: int
    loss_sum: LossSum
    train_sums: int = 2

    @property
    def evaluation_sums(self) -> int:
        return 1 + counts_length(self.outputs)

    @property
    def curves(self) -> int:
        return curves_of(self.outputs)

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        right = torch.count_nonzero(outputs.argmax(dim=1) == targets)
        return torch.stack((loss_sum.double(), right.double()))

    def train_measures(self, sums: Tensor, rows: int) -> Measures:
        loss, right = sums.tolist()
        return Measures(loss=loss / rows, accuracy=right / rows)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss = self.loss_sum(outputs.double(), targets)
        return torch.cat((loss[None], count_classes(outputs, targets)))

    def evaluation_measures(self, seen: Seen) -> Measures:
        counts = self.counts(seen)
        return Measures(
            loss=float(seen.sums[0]) / seen.rows,
            accuracy=counts.accuracy,
            precision=counts.macro(counts.precision),
            recall=counts.macro(counts.recall),
            f1=counts.macro(counts.f1),
            roc_auc=counts.roc_auc,
        )

    def counts(self, seen: Seen) -> ClassCounts:
        """What an evaluation says about classes."""
        return ClassCounts.of(seen.sums[1:], self.outputs, seen.curves)


@dataclass(frozen=True)
class Regression:
    """A loss on scaled targets; reported in the target's own units."""

    shift: float
    scale: float
    loss_sum: LossSum
    loss_power: int
    """Of the scale in the loss: 1 for mae, 2 for what is a square near zero."""
    outputs: int = 1
    train_sums: int = 3
    evaluation_sums: int = 5
    curves: int = 0

    def tally(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        errors = (outputs.squeeze(1) - targets).double()
        return torch.stack((loss_sum.double(), errors.norm(1), torch.dot(errors, errors)))

    def train_measures(self, sums: Tensor, rows: int) -> Measures:
        loss, absolute, squared = sums.tolist()
        return Measures(
            loss=loss / rows * self.scale**self.loss_power,
            mae=absolute / rows * self.scale,
            mse=squared / rows * self.scale**2,
        )

    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        outputs, targets = outputs.double(), targets.double()
        squares = torch.stack((targets.sum(), torch.dot(targets, targets)))
        return torch.cat((self.tally(outputs, targets, self.loss_sum(outputs, targets)), squares))

    def evaluation_measures(self, seen: Seen) -> Measures:
        rows, errors = seen.rows, self.train_measures(seen.sums[:3], seen.rows)
        squared, total, total_squared = seen.sums[2:].tolist()
        spread = total_squared - total * total / rows
        varies = spread > 1e-12 * total_squared  # what rounding leaves of equal targets is not a spread
        return Measures(
            loss=errors.loss,
            mae=errors.mae,
            mse=errors.mse,
            rmse=sqrt(squared / rows) * self.scale,
            r2=1 - squared / spread if varies else None,
        )


def objective_for(recipe: Training, facts: DataFacts, rules: int = RULES) -> Objective:
    """Classes make a classification, numbers a regression."""
    loss = recipe.loss or Loss(type="crossEntropy" if recipe.task == "classification" else "mse")
    if facts.labels is not None:
        weights = class_weights(loss, facts.labels, by_alpha=rules == 1)
        return Classification(len(facts.labels), loss_sum(loss, weights))
    assert facts.target_scaling is not None
    shift, scale = float(facts.target_scaling.shift), float(facts.target_scaling.scale)
    return Regression(shift, scale, loss_sum(loss), 1 if loss.type == "mae" else 2)
