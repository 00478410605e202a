"""Whether two sets of scores are the same within noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from scipy.stats import t, ttest_ind, ttest_rel

LEVEL = 0.01
"""How rarely a test may see a difference where there is none: eight are made, of four data sets."""


@dataclass(frozen=True)
class Verdict:
    """ours[i] and theirs[i] come from the same rows."""

    ours: Sequence[float]
    theirs: Sequence[float]

    @property
    def differences(self) -> list[float]:
        return [a - b for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def largest(self) -> float:
        """With its sign."""
        return max(self.differences, key=abs)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mean difference lies, with 95 % confidence: how large one may be that was not seen."""
        width = float(t.ppf(0.975, len(self.ours) - 1)) * stdev(self.differences) / sqrt(len(self.ours))
        return mean(self.differences) - width, mean(self.differences) + width

    @property
    def welch(self) -> float:
        """p of Welch's t-test: the means differ by chance."""
        return float(ttest_ind(self.ours, self.theirs, equal_var=False).pvalue)

    @property
    def paired(self) -> float:
        """p of the paired t-test, which sees smaller differences: what the rows do to both sides falls out."""
        return float(ttest_rel(self.ours, self.theirs).pvalue)

    @property
    def is_same(self) -> bool:
        return not any(p < LEVEL for p in (self.welch, self.paired))  # of equal scores p is NaN
