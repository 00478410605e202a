"""How each step of a training goes: at which rate, with which momentum."""

from collections.abc import Iterator
from typing import NamedTuple

from trainer.learning.plan import Moment, Plan
from trainer.learning.plateau import Plateau
from trainer.learning.schedules import momentum_schedule, rate_schedule
from trainingjob_api.spec.training import Training


class Pace(NamedTuple):
    """Of one step."""

    rate: float
    momentum: float | None = None
    """None: what the optimizer has. Of adam and adamw: beta1."""


class Paces:
    """Of all steps of a plan."""

    def __init__(self, recipe: Training, plan: Plan, rules: int) -> None:
        """rules: see `exactness.RULES`."""
        self.plan = plan
        self._schedule = recipe.schedule
        self._rate = rate_schedule(recipe, plan)
        self._momentum = momentum_schedule(recipe, plan) if rules > 1 else None

    def of_epoch(self, epoch: int, consumed: int, plateau: Plateau) -> Iterator[Pace]:
        """Of the steps that are left of an epoch after so many samples; by map, which takes next to no time."""
        rates: Iterator[float] = map(self._rate, self.plan.moments(epoch, consumed))
        if plateau.reductions:
            rates = (plateau.rate(rate, self._schedule) for rate in rates)
        if self._momentum is None:
            return map(Pace, rates)
        return map(Pace, rates, map(self._momentum, self.plan.moments(epoch, consumed)))

    def last_of(self, epoch: int, plateau: Plateau) -> Pace:
        """Of the last step of an epoch."""
        return self._at(self.plan.last_step_of(epoch), plateau)

    @property
    def first(self) -> Pace:
        """Of the first step of all."""
        return self._at(Moment(0.0, 0), Plateau())

    def _at(self, moment: Moment, plateau: Plateau) -> Pace:
        rate = plateau.rate(self._rate(moment), self._schedule)
        return Pace(rate, self._momentum(moment) if self._momentum else None)
