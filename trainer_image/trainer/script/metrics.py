"""The numbers of an epoch, as a program reports them, and what they tell."""

from collections.abc import Mapping
from math import isfinite
from typing import SupportsFloat

from pydantic import ValidationError
from torch import Tensor

from trainer.errors import NonFinite, UserError
from trainer.learning.clock import EpochClock
from trainer.learning.plan import Plan, StagePlan
from trainer.script.state import ScriptState
from trainingjob_api.progress import EpochMetrics

_KNOWN = set(EpochMetrics.model_fields) - {"epoch", "extra"}


def epoch_metrics(state: ScriptState, clock: EpochClock, reported: Mapping[str, SupportsFloat]) -> EpochMetrics:
    """With what is known of the epoch besides. NonFinite for a loss; other numbers that are not finite are left out."""
    epoch, numbers = state.position.epoch + 1, {name: _number(name, value) for name, value in reported.items()}
    for name in ("train_loss", "validation_loss"):
        if not isfinite(numbers.get(name, 0.0)):
            raise NonFinite(f"epoch {epoch}: {name} is {numbers[name]}; nothing was saved from it")
    finite = {name: number for name, number in numbers.items() if isfinite(number)}
    given = {
        "epoch": epoch,
        "learning_rate": next((each.param_groups[0]["lr"] for each in state.objects.optimizers), None),
        "seconds_per_epoch": clock.total(),
        "samples_per_second": state.samples / clock.training if state.samples else None,
        **{name: number for name, number in finite.items() if name in _KNOWN},
        "extra": {name: number for name, number in finite.items() if name not in _KNOWN} or None,
    }
    try:
        return EpochMetrics.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(str(problem["msg"]) for problem in error.errors())
        raise UserError(f"run.report(): {problems}") from error


def _number(name: str, value: SupportsFloat) -> float:
    try:
        return float(value.item() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, RuntimeError) as error:  # the last: a tensor of several
        raise UserError(f"run.report({name}=...): one number is needed, not {value!r:.100}") from error


def is_better(new: EpochMetrics, best: EpochMetrics | None) -> bool:
    """By the loss on held-back samples if there is one, else by that of training."""
    if new.validation_loss is not None:
        return best is None or best.validation_loss is None or new.validation_loss < best.validation_loss
    if new.train_loss is not None:
        return best is None or best.train_loss is None or new.train_loss < best.train_loss
    return False


def plan_so_far(epochs: int, done: int, steps: int) -> Plan | None:
    """As far as the epochs so far tell; None if they told nothing."""
    per_epoch = steps // done
    return Plan(0, (StagePlan(0, epochs, 0, 1, 1, per_epoch, 1.0),)) if per_epoch else None
