"""What a classifier did with rows, as counts: they add over chunks and ranks without any rounding.

Up to DETAIL_CLASSES classes: the confusion matrix, and histograms of scores for the ROC curves. Beyond that the
matrix would be larger than most models, so three counts for each class have to do.
"""

from dataclasses import dataclass
from math import asinh

import torch
from torch import Tensor

DETAIL_CLASSES = 256
BINS = 2048
_END = 1e6


def counts_length(classes: int) -> int:
    """Of what `count_classes` returns."""
    if classes > DETAIL_CLASSES:
        return 3 * classes
    return classes * classes + _curves(classes) * 2 * BINS


def count_classes(logits: Tensor, targets: Tensor) -> Tensor:
    """Counts over rows as float64, which is exact below 2^53. Logits (rows, classes), class numbers (rows)."""
    classes, guesses = logits.shape[1], logits.argmax(dim=1)
    if classes > DETAIL_CLASSES:
        each = (targets[guesses == targets], guesses, targets)
        return torch.cat([torch.bincount(numbers, minlength=classes) for numbers in each]).double()
    confusion = torch.bincount(targets * classes + guesses, minlength=classes * classes)
    return torch.cat((confusion, _score_counts(logits, targets))).double()


def _curves(classes: int) -> int:
    """Of two classes the second is the positive one; of more each is told from the rest."""
    return 1 if classes == 2 else classes


def _score_counts(logits: Tensor, targets: Tensor) -> Tensor:
    """Histograms (curves, 2, BINS), flat: of the scores of negatives, and of positives."""
    # Only the order of scores matters to a ROC curve. These bins are narrow near 0 and 1.4 % wide far from it.
    scores, curves = torch.asinh(_log_odds(logits).clamp(-_END, _END)), _curves(logits.shape[1])
    place = ((scores / asinh(_END) + 1) * (BINS / 2)).nan_to_num(0).long().clamp(max=BINS - 1)
    number = torch.arange(logits.shape[1] - curves, logits.shape[1], device=logits.device)
    is_positive = targets[:, None] == number
    curve = torch.arange(curves, device=logits.device)
    return torch.bincount(((curve * 2 + is_positive) * BINS + place).flatten(), minlength=curves * 2 * BINS)


def _log_odds(logits: Tensor) -> Tensor:
    """log p / (1 - p) of each class in float64, (rows, curves); without subtracting a p near 1 from 1."""
    logits = logits.double()
    if logits.shape[1] == 2:
        return (logits[:, 1] - logits[:, 0])[:, None]
    log_p = logits.log_softmax(dim=1)
    odds = log_p - torch.log1p(-log_p.exp())
    first = logits.argmax(dim=1, keepdim=True)
    rest = logits.scatter(1, first, -torch.inf).logsumexp(dim=1, keepdim=True)
    return odds.scatter(1, first, logits.gather(1, first) - rest)


@dataclass(frozen=True)
class ClassCounts:
    """Of rows: right, predicted and actual for each class (classes,); the confusion matrix's rows are actual classes.

    scores: histograms (curves, 2, BINS) of negatives and positives. float64 on the CPU.
    """

    right: Tensor
    predicted: Tensor
    actual: Tensor
    confusion: Tensor | None = None
    scores: Tensor | None = None

    @classmethod
    def of(cls, flat: Tensor, classes: int) -> "ClassCounts":
        """From the sum of what `count_classes` returned."""
        if classes > DETAIL_CLASSES:
            right, predicted, actual = flat.view(3, classes)
            return cls(right, predicted, actual)
        confusion = flat[: classes * classes].view(classes, classes)
        scores = flat[classes * classes :].view(_curves(classes), 2, BINS)
        return cls(confusion.diagonal(), confusion.sum(dim=0), confusion.sum(dim=1), confusion, scores)

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
    def curve_classes(self) -> range:
        """The class that each curve tells from the rest."""
        return range(0) if self.scores is None else range(len(self.actual) - len(self.scores), len(self.actual))

    @property
    def areas(self) -> Tensor | None:
        """Under the ROC curve of each curve, scores in one bin counted as ties; NaN where all rows are of one side."""
        if self.scores is None:
            return None
        negative, positive = self.scores[:, 0], self.scores[:, 1]
        below = negative.cumsum(dim=1) - negative / 2
        return (positive * below).sum(dim=1) / (positive.sum(dim=1) * negative.sum(dim=1))

    @property
    def roc_auc(self) -> float | None:
        """Of two classes; of more the mean over those that can be told from others in these rows."""
        areas = self.areas
        if areas is None or bool(areas.isnan().all()):
            return None
        return float(areas.nanmean())

    def roc_points(self, curve: int) -> tuple[Tensor, Tensor]:
        """False and true positive rates from (0, 0) to (1, 1), one point for each bin from the highest score down."""
        assert self.scores is not None
        rates = self.scores[curve].flip(1).cumsum(dim=1)
        rates = torch.cat((torch.zeros(2, 1, dtype=rates.dtype), rates / rates[:, -1:]), dim=1)
        return rates[0], rates[1]
