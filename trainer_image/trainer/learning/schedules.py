"""The learning rate as a function of where training stands: there is no state to save.

What PyTorch's schedulers of the same names give when they are stepped after every epoch (step, exponential) or after
every step (the others), in closed form. The plateau, which depends on results, is in plateau.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, floor, pi

from trainer.learning.plan import Moment, Plan
from trainingjob_api.base import given
from trainingjob_api.spec.training import Schedule, Training

Rate = Callable[[Moment], float]
Height = Callable[[int], float]
"""Of a rate between its least and its most, from 0 to 1, by the step since the warm-up."""
_AUTO_SHARE, _AUTO_LIMIT = 10, 20


def rate_schedule(recipe: Training, plan: Plan) -> Rate:
    """Learning rate of the step at a moment of the training; stages and warm-up included, a plateau not."""
    base, schedule = recipe.optimizer.learning_rate, recipe.schedule
    if schedule is None:
        return _by_stage(lambda moment: base, plan)
    warm_epochs = warmup_epochs(recipe, plan)
    span = _Span(epochs=plan.epochs - warm_epochs, steps=plan.steps - plan.steps_before(warm_epochs))
    rate = _SHAPES[schedule.type](base, schedule, span)
    factor = schedule.warmup.start_factor if schedule.warmup else 1.0
    return _by_stage(_warmed_up(rate, factor, Moment(warm_epochs, plan.steps_before(warm_epochs))), plan)


def momentum_schedule(recipe: Training, plan: Plan) -> Rate | None:
    """Momentum (of adam and adamw: beta1) of the step at a moment; None: it never changes."""
    schedule = recipe.schedule
    if schedule is None or schedule.momenta is None or recipe.optimizer.type == "adagrad":
        return None
    least, most = schedule.momenta
    warm_epochs = warmup_epochs(recipe, plan)
    warm_steps = plan.steps_before(warm_epochs)
    height = _HEIGHTS[schedule.type](schedule, plan.steps - warm_steps)
    return lambda moment: most - (most - least) * height(max(0, moment.steps - warm_steps))


def warmup_epochs(recipe: Training, plan: Plan) -> int:
    """How many epochs come before the schedule."""
    warmup = recipe.schedule.warmup if recipe.schedule else None
    if warmup is None:
        return 0
    if warmup.epochs == "auto":
        return min(_AUTO_LIMIT, plan.epochs // _AUTO_SHARE)
    return min(warmup.epochs, plan.epochs - 1)


@dataclass(frozen=True)
class _Span:
    """What a schedule has to itself, after the warm-up."""

    epochs: int
    steps: int


def _constant(base: float, schedule: Schedule, span: _Span) -> Rate:
    return lambda moment: base


def _step(base: float, schedule: Schedule, span: _Span) -> Rate:
    gamma, size = given(schedule.gamma, 0.1), schedule.step_size or 1
    return lambda moment: base * gamma ** (floor(moment.epochs) // size)


def _exponential(base: float, schedule: Schedule, span: _Span) -> Rate:
    gamma = given(schedule.gamma, 0.95)
    return lambda moment: base * gamma ** floor(moment.epochs)


def _cosine(base: float, schedule: Schedule, span: _Span) -> Rate:
    """Half a wave from base to minimum; it stays there."""
    length, minimum = schedule.t_max or span.epochs, given(schedule.minimum, 0.0)
    return lambda moment: minimum + (base - minimum) * (1 + cos(pi * min(1.0, moment.epochs / length))) / 2


def _linear(base: float, schedule: Schedule, span: _Span) -> Rate:
    length, end = schedule.total_epochs or span.epochs, given(schedule.end_factor, 0.0)
    return lambda moment: base * (1 + (end - 1) * min(1.0, moment.epochs / length))


def _cyclic(base: float, schedule: Schedule, span: _Span) -> Rate:
    """Up and down, as many steps each way. Smith, Cyclical Learning Rates for Training Neural Networks (2017)."""
    low, high = given(schedule.minimum, 0.0), given(schedule.maximum, base)
    swing = _swing(schedule)

    def rate(moment: Moment) -> float:
        share, width = swing(moment.steps)
        return low + (high - low) * share * width

    return rate


def _cyclic_height(schedule: Schedule, steps: int) -> Height:
    swing = _swing(schedule)

    def height(step: int) -> float:
        share, width = swing(step)
        return share * width

    return height


def _swing(schedule: Schedule) -> Callable[[int], tuple[float, float]]:
    """By the step: how high it is in its cycle, from 0 to 1, and how wide the cycle still is."""
    up, gamma, mode = schedule.steps_up or 1, given(schedule.gamma, 1.0), schedule.mode or "triangular"

    def swing(step: int) -> tuple[float, float]:
        cycle, place = divmod(step, 2 * up)
        share = 1 - abs(place / up - 1)
        if mode == "triangular2":
            return share, 0.5**cycle  # 2**cycle would be too large for a float one day
        return share, gamma**step if mode == "expRange" else 1.0

    return swing


def _one_cycle(base: float, schedule: Schedule, span: _Span) -> Rate:
    """Up to the peak and down far below the start, both along half a cosine. Smith & Topin, Super-Convergence."""
    peak = given(schedule.maximum, base)
    first = peak / given(schedule.start_divisor, 25.0)
    last = first / given(schedule.end_divisor, 10_000.0)
    top, end = _top(schedule, span.steps)

    def rate(moment: Moment) -> float:
        if moment.steps < top:
            return _eased(first, peak, moment.steps / top)
        return _eased(peak, last, (moment.steps - top) / (end - top))

    return rate


def _one_cycle_height(schedule: Schedule, steps: int) -> Height:
    top, end = _top(schedule, steps)

    def height(step: int) -> float:
        return _eased(0.0, 1.0, step / top) if step < top else _eased(1.0, 0.0, (step - top) / (end - top))

    return height


def _top(schedule: Schedule, steps: int) -> tuple[float, int]:
    """The step, with a fraction, at which the rate is highest, and the last one."""
    return given(schedule.rise_fraction, 0.3) * steps - 1, steps - 1


def _eased(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + cos(pi * share))


_HEIGHTS: dict[str, Callable[[Schedule, int], Height]] = {"cyclic": _cyclic_height, "oneCycle": _one_cycle_height}
_SHAPES: dict[str, Callable[[float, Schedule, _Span], Rate]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
    "linear": _linear,
    "cyclic": _cyclic,
    "oneCycle": _one_cycle,
    "plateau": _constant,
}


def _warmed_up(rate: Rate, start_factor: float, length: Moment) -> Rate:
    """A straight line from start_factor times the schedule's first rate to that rate, then the schedule from its
    beginning."""
    first = rate(Moment(0.0, 0))

    def warmed_up(moment: Moment) -> float:
        if moment.epochs >= length.epochs:
            return rate(Moment(moment.epochs - length.epochs, moment.steps - length.steps))
        return first * (start_factor + (1 - start_factor) * moment.epochs / length.epochs)

    return warmed_up


def _by_stage(rate: Rate, plan: Plan) -> Rate:
    if all(stage.rate_factor == 1.0 for stage in plan.stages):
        return rate
    return lambda moment: rate(moment) * plan.stage_at(int(moment.epochs)).rate_factor
