"""How a metric is described: what is served, and docs/metrics-reference.md, are made from it."""

from dataclasses import dataclass
from typing import Literal

_BASE_UNITS = ("seconds", "bytes", "ratio")


@dataclass(frozen=True)
class MetricFamily:
    """One name with its meaning; named by Prometheus' conventions, as its samples are."""

    name: str
    type: Literal["counter", "gauge", "histogram", "info"]
    meaning: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    """For people; where the name ends with a base unit it need not be given."""
    query: str = ""
    """PromQL that shows what it is good for."""

    @property
    def family_name(self) -> str:
        """As OpenMetrics calls the family, and Prometheus' clients in their constructors."""
        return self.name.removesuffix("_total").removesuffix("_info")

    @property
    def base_unit(self) -> str:
        """The unit that the name ends with, or nothing."""
        return next((unit for unit in _BASE_UNITS if self.family_name.endswith(f"_{unit}")), "")
