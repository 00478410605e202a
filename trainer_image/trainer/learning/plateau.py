"""The schedule that depends on results: a smaller rate when the watched metric no longer improves."""

from typing import Literal

from trainingjob_api.base import Report, given
from trainingjob_api.spec.training import Schedule

_FACTOR, _PATIENCE = 0.5, 10
_THRESHOLD = 1e-4  # relative, as in torch's ReduceLROnPlateau


class Plateau(Report):
    """How often the rate has been reduced; part of every checkpoint."""

    best: float | None = None
    waited: int = 0
    reductions: int = 0

    def after(self, value: float, mode: Literal["min", "max"], schedule: Schedule) -> "Plateau":
        """After one epoch more, whose metric is given."""
        if self.best is None or _is_better(value, self.best, mode):
            return Plateau(best=value, reductions=self.reductions)
        if self.waited >= given(schedule.patience, _PATIENCE):
            return Plateau(best=self.best, reductions=self.reductions + 1)
        return self.model_copy(update={"waited": self.waited + 1})

    def rate(self, planned: float, schedule: Schedule | None) -> float:
        """The rate that is used in place of a planned one."""
        if not self.reductions or schedule is None or schedule.type != "plateau":
            return planned
        factor = given(schedule.factor, _FACTOR)
        return min(planned, max(given(schedule.minimum, 0.0), planned * factor**self.reductions))


def _is_better(value: float, best: float, mode: Literal["min", "max"]) -> bool:
    if mode == "min":
        return value < best - abs(best) * _THRESHOLD
    return value > best + abs(best) * _THRESHOLD
