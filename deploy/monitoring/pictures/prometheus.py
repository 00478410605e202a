"""Prometheus' HTTP API: what has a value now, and what had one when."""

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Series:
    """Labels, and (seconds since the epoch, value) in order of time."""

    labels: Labels
    points: list[tuple[float, float]]

    @property
    def name(self) -> str:
        """As Prometheus writes it."""
        own = ", ".join(f'{key}="{value}"' for key, value in self.labels.items() if key != "__name__")
        return f"{self.labels.get('__name__', '')}{{{own}}}"

    @property
    def values(self) -> list[float]:
        return [value for _, value in self.points]

    @property
    def has_values(self) -> bool:
        """Whether any of them is a number: a quantile of nothing is none."""
        return not all(map(math.isnan, self.values))

    @property
    def last(self) -> float:
        return self.points[-1][1]


@dataclass(frozen=True)
class Prometheus:
    """One server. RuntimeError with its words for a query that it refuses; OSError when it does not answer."""

    address: str

    def now(self, expr: str, at: float | None = None) -> list[Series]:
        """What has a value at one moment (default: now); a point each."""
        found = self._ask("query", query=expr, **({} if at is None else {"time": f"{at:.3f}"}))
        if found["resultType"] == "scalar":
            return [Series({}, [_point(found["result"])])]
        return [Series(each["metric"], [_point(each["value"])]) for each in found["result"]]

    def over(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """What had a value between two moments, looked at every so many seconds."""
        asked = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        found = self._ask("query_range", query=expr, **asked)
        return [Series(each["metric"], [_point(value) for value in each["values"]]) for each in found["result"]]

    def value(self, expr: str, at: float | None = None) -> float | None:
        """Of an expression that has at most one series."""
        found = self.now(expr, at)
        return found[0].last if found else None

    def _ask(self, path: str, **parameters: str) -> Any:
        body = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", data=body)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{parameters['query']}: {json.load(error).get('error', error)}") from None


def _point(pair: tuple[float, str]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
