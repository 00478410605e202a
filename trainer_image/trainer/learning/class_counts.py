"""What a classifier did with rows, as counts: they add over chunks and ranks without any rounding.

Up to DETAIL_CLASSES classes: the confusion matrix, and a ROC curve for each. Beyond that the matrix would be larger
than most models, so three counts for each class have to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.learning.roc import Curve

DETAIL_CLASSES = 256


def counts_length(classes: int) -> int:
    """Of what `count_classes` returns."""
    return classes * (3 if classes > DETAIL_CLASSES else classes)


def curves_of(classes: int) -> int:
    """How many ROC curves there are: of two classes one, the second's; of more each is told from the rest."""
    return 0 if classes > DETAIL_CLASSES else 1 if classes == 2 else classes


def count_classes(logits: Tensor, targets: Tensor) -> Tensor:
    """Counts over rows as float64, which is exact below 2^53. Logits (rows, classes), class numbers (rows)."""
    classes, guesses = logits.shape[1], logits.argmax(dim=1)
    if classes > DETAIL_CLASSES:
        each = (targets[guesses == targets], guesses, targets)
        return torch.cat([torch.bincount(numbers, minlength=classes) for numbers in each]).double()
    return torch.bincount(targets * classes + guesses, minlength=classes * classes).double()


@dataclass(frozen=True)
class ClassCounts:
    """Of rows: right, predicted and actual for each class (classes,); the confusion matrix's rows are actual classes.

    float64 on the CPU.
    """

    right: Tensor
    predicted: Tensor
    actual: Tensor
    confusion: Tensor | None = None
    curves: Sequence[Curve] = ()

    @classmethod
    def of(cls, flat: Tensor, classes: int, curves: Sequence[Curve] = ()) -> "ClassCounts":
        """From the sum of what `count_classes` returned."""
        if classes > DETAIL_CLASSES:
            right, predicted, actual = flat.view(3, classes)
            return cls(right, predicted, actual)
        confusion = flat.view(classes, classes)
        return cls(confusion.diagonal(), confusion.sum(dim=0), confusion.sum(dim=1), confusion, curves)

    @property
    def precision(self) -> Tensor:
        """Of each class; 0 for one that was never predicted."""
        return self.right / self.predicted.clamp(min=1)

    @property
    def recall(self) -> Tensor:
        """Of each class; 0 for one that does not occur."""
        return self.right / self.actual.clamp(min=1)

    @property
    def f1(self) -> Tensor:
        """Of each class: the harmonic mean of precision and recall."""
        return 2 * self.right / (self.predicted + self.actual).clamp(min=1)

    def macro(self, of_each: Tensor) -> float:
        """The mean over the classes that occur, or were predicted although they do not."""
        return float(of_each[self.predicted + self.actual > 0].mean())

    @property
    def accuracy(self) -> float:
        return float(self.right.sum() / self.actual.sum())

    @property
    def curve_of(self) -> dict[int, Curve]:
        """The ROC curve of each class that has one: rows of it, and rows of others."""
        first = len(self.actual) - len(self.curves)
        return {first + number: curve for number, curve in enumerate(self.curves) if curve.area is not None}

    @property
    def roc_auc(self) -> float | None:
        """Of two classes; of more the mean over those that can be told from others in these rows."""
        areas = [area for curve in self.curves if (area := curve.area) is not None]
        return sum(areas) / len(areas) if areas else None
