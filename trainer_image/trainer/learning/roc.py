"""ROC curves of scores: sorted, those of all ranks together, and exact up to some millions of them.

Of more, neighbours in the order become one point that stands for several rows: about as many in every point, wherever
the scores lie and however close together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from trainer.checkpoint import tensors as safe
from trainer.distributed import World

MOST_SCORES = 1 << 22
"""Of all ranks and curves together that are kept as they are."""
_FEWEST_POINTS = 1 << 11
"""Of a rank and a curve, where rows are put together: enough for areas that are right to a thousandth."""
_AT_ONCE = 1 << 20
"""Points that a rank sends to the others at a time."""


@dataclass(frozen=True)
class Curve:
    """Scores in ascending order, none of them twice (float64), and how many rows of either side have each (int64)."""

    scores: Tensor
    negatives: Tensor
    positives: Tensor

    @classmethod
    def of(cls, scores: Tensor, is_positive: Tensor) -> "Curve":
        """Of rows in any order."""
        scores, order = scores.sort()
        scores, rows = torch.unique_consecutive(scores, return_counts=True)
        positives = _up_to(rows.cumsum(0) - 1, is_positive[order].long())
        return cls(scores, rows - positives, positives)

    @classmethod
    def together(cls, curves: Sequence["Curve"]) -> "Curve":
        """Of the rows of all."""
        if len(curves) == 1:
            return curves[0]
        scores, negatives, positives = (
            torch.cat(part) for part in zip(*(curve.parts for curve in curves), strict=True)
        )
        scores, order = scores.sort()
        scores, points = torch.unique_consecutive(scores, return_counts=True)
        ends = points.cumsum(0) - 1
        return cls(scores, _up_to(ends, negatives[order]), _up_to(ends, positives[order]))

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.scores, self.negatives, self.positives

    def thinned(self, most: int) -> "Curve":
        """At most so many points; each is where the middle of those was that it stands for."""
        if len(self.scores) <= most:
            return self
        rows = (self.negatives + self.positives).cumsum(0)
        _, points = torch.unique_consecutive((rows - 1) * most // rows[-1], return_counts=True)
        ends = points.cumsum(0) - 1
        return Curve(self.scores[ends - points // 2], _up_to(ends, self.negatives), _up_to(ends, self.positives))

    @cached_property
    def area(self) -> float | None:
        """The share of pairs of both sides in which the positive scores higher, equal scores counted half.

        None where all rows are of one side. Whole numbers until the last division: the same on every machine.
        """
        pairs = int(self.positives.sum()) * int(self.negatives.sum())
        twice_below = 2 * self.negatives.cumsum(0) - self.negatives
        return int((self.positives * twice_below).sum()) / (2 * pairs) if pairs else None

    def rates(self) -> tuple[Tensor, Tensor]:
        """False and true positive rates from (0, 0) to (1, 1), one point for each score from the highest down."""
        return _rates(self.negatives), _rates(self.positives)


def _up_to(ends: Tensor, counts: Tensor) -> Tensor:
    """The sums of the parts that these ends cut the counts into."""
    sums = counts.cumsum(0)[ends]
    return sums.diff(prepend=sums.new_zeros(1))


def _rates(counts: Tensor) -> Tensor:
    sums = counts.flip(0).cumsum(0).double()
    return torch.cat((sums.new_zeros(1), sums / sums[-1]))


class Scores:
    """Those of one rank's rows, for a curve for each class that is told from the rest."""

    def __init__(self, curves: int, ranks: int) -> None:
        """curves: for two classes one, the second's; none: nothing is kept."""
        self._curves = curves
        self._most = max(_FEWEST_POINTS, MOST_SCORES // max(1, curves * ranks))
        self._kept: list[list[Curve]] = [[] for _ in range(curves)]
        self._new: list[tuple[Tensor, Tensor]] = []

    def add(self, logits: Tensor, targets: Tensor) -> None:
        """Logits (rows, classes), class numbers (rows)."""
        if self._curves:
            self._new.append((log_odds(logits).nan_to_num(0, torch.inf, -torch.inf), targets))
        if sum(len(targets) for _, targets in self._new) > self._most:
            self._sort()

    def of_all(self, world: World) -> tuple[Curve, ...]:
        """The curves of the rows of all ranks, on each the same. Collective."""
        self._sort()
        nothing = Curve.of(torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.bool))
        own = [Curve.together(kept or [nothing]) for kept in self._kept]
        if world.size == 1:
            return tuple(own)
        step = max(1, _AT_ONCE // self._most)
        groups = [own[start : start + step] for start in range(0, self._curves, step)]
        return tuple(curve for group in groups for curve in _gathered(group, world))

    def _sort(self) -> None:
        if not self._new:
            return
        odds, targets = (torch.cat(parts) for parts in zip(*self._new, strict=True))
        self._new = []
        first = 1 if self._curves == 1 else 0
        for number, kept in enumerate(self._kept):
            curve = Curve.of(odds[:, number], targets == first + number)
            here = Curve(*(part.cpu() for part in curve.parts))
            kept[:] = [Curve.together([*kept, here]).thinned(self._most)]


def _gathered(own: Sequence[Curve], world: World) -> list[Curve]:
    """The same curves, each of the rows of all ranks."""
    named = {f"{number}.{part}": value for number, curve in enumerate(own) for part, value in enumerate(curve.parts)}
    ranks = [safe.decode(row) for row in world.gather(bytes(safe.encode(named)))]
    curves = [[Curve(*(row[f"{number}.{part}"] for part in range(3))) for row in ranks] for number in range(len(own))]
    return [Curve.together(each) for each in curves]


def log_odds(logits: Tensor) -> Tensor:
    """log p / (1 - p) of each class in float64, (rows, curves); without subtracting a p near 1 from 1."""
    logits = logits.double()
    if logits.shape[1] == 2:
        return (logits[:, 1] - logits[:, 0])[:, None]
    log_p = logits.log_softmax(dim=1)
    odds = log_p - torch.log1p(-log_p.exp())
    first = logits.argmax(dim=1, keepdim=True)
    rest = logits.scatter(1, first, -torch.inf).logsumexp(dim=1, keepdim=True)
    return odds.scatter(1, first, logits.gather(1, first) - rest)
