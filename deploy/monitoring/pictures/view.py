"""What a panel's queries find in one range of time, and how Grafana would call it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pictures.board import Panel, with_values
from pictures.prometheus import Prometheus, Series


@dataclass(frozen=True)
class Shown:
    """A series under the name that its legend has."""

    name: str
    series: Series


@dataclass(frozen=True)
class Range:
    """Of time, in seconds since the epoch, with a look every so many seconds."""

    start: float
    end: float
    step: float


@dataclass(frozen=True)
class View:
    """What is looked at, and a value for each variable."""

    prometheus: Prometheus
    range: Range
    values: Mapping[str, str]

    def over(self, expr: str) -> list[Series]:
        over = self.range
        return self.prometheus.over(with_values(expr, self.values), over.start, over.end, over.step)

    def now(self, expr: str) -> list[Series]:
        return self.prometheus.now(with_values(expr, self.values), self.range.end)

    def curves(self, panel: Panel) -> list[Shown]:
        """Of all its queries, over the range."""
        return self._shown([(legend, each) for _, expr, legend in panel.queries for each in self.over(expr)])

    def bars(self, panel: Panel) -> list[Shown]:
        """Of all its queries, at the end of the range."""
        return self._shown([(legend, each) for _, expr, legend in panel.queries for each in self.now(expr)])

    def _shown(self, found: Sequence[tuple[str, Series]]) -> list[Shown]:
        return [Shown(named(each, legend), each) for legend, each in found if each.has_values]

    def with_gaps(self, series: Series) -> tuple[list[float], list[float]]:
        """Moments and values; a value that is none wherever there was nothing."""
        times: list[float] = []
        values: list[float] = []
        before = self.range.start
        for moment, value in series.points:
            if times and moment - before > 1.5 * self.range.step:
                times.append(before + self.range.step)
                values.append(math.nan)
            times.append(moment)
            values.append(value)
            before = moment
        return times, values


def named(series: Series, legend: str) -> str:
    """As Grafana fills a legend in; "__auto" is what tells the series apart."""
    if legend != "__auto":
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: series.labels.get(found[1], ""), legend)
    return ", ".join(value for key, value in series.labels.items() if key != "__name__") or "Value"
