"""The learning rate as a function of how many epochs are done, fractions included: there is no state to save."""

from collections.abc import Callable
from math import cos, pi

from trainingjob_api.spec.training import Training

Rate = Callable[[float], float]


def rate_schedule(recipe: Training) -> Rate:
    """Learning rate at a point in training, in epochs from 0."""
    base, schedule = recipe.optimizer.learning_rate, recipe.schedule
    if schedule is None:
        return lambda epochs: base
    warmup = schedule.warmup
    start = warmup.epochs if warmup else 0
    rate = (
        _cosine(base, schedule.minimum or 0.0, start, recipe.epochs) if schedule.type == "cosine" else _constant(base)
    )
    return _warmed_up(rate, base, warmup.start_factor, warmup.epochs) if warmup else rate


def _constant(base: float) -> Rate:
    return lambda epochs: base


def _cosine(base: float, minimum: float, start: float, end: float) -> Rate:
    """Half a cosine from base at `start` to minimum at `end`."""

    def rate(epochs: float) -> float:
        done = min(1.0, max(0.0, (epochs - start) / (end - start)))
        return minimum + (base - minimum) * (1 + cos(pi * done)) / 2

    return rate


def _warmed_up(rate: Rate, base: float, start_factor: float, length: float) -> Rate:
    """A straight line from start_factor x base to base, in front of any schedule."""

    def warmed_up(epochs: float) -> float:
        if epochs >= length:
            return rate(epochs)
        return base * (start_factor + (1 - start_factor) * epochs / length)

    return warmed_up
