"""The numbers of an epoch, as a program reports them, and what they tell. No name and no number of them ends it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from math import isfinite
from statistics import fmean
from typing import SupportsFloat

from torch import Tensor

from trainer.distributed import World
from trainer.errors import NonFinite
from trainer.learning.clock import EpochClock
from trainer.learning.plan import Plan, StagePlan
from trainer.script.state import ScriptState
from trainingjob_api.progress import EXTRA_METRICS_LIMIT, EXTRA_NAME_LIMIT, EpochMetrics

_KNOWN = set(EpochMetrics.model_fields) - {"epoch", "extra"}
_SPLITS = {"train": "train", **dict.fromkeys(("val", "valid", "validation", "eval"), "validation")}
_MEASURES = {"loss": "loss", **dict.fromkeys(("acc", "accuracy"), "accuracy")}
_KNOWN_ELSEWHERE = re.compile(f"({'|'.join(_SPLITS)})[^a-z0-9]({'|'.join(_MEASURES)})")
_NOT_PLAIN = re.compile(r"[^a-zA-Z0-9_.-]+")


@dataclass
class Reported:
    """What a program has reported of one epoch, as far as it can be held."""

    known: dict[str, float] = field(default_factory=dict)
    extra: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """Names, with the reason."""

    def take(self, name: str, value: SupportsFloat) -> None:
        number = _number(value)
        if number is None:
            self.left_out.append(f"{name} (not one number: {value!r:.100})")
        elif not isfinite(number):
            pass  # an epoch may have none of this
        elif name in _KNOWN:
            self.known[name] = number
        elif len(self.extra) == EXTRA_METRICS_LIMIT:
            self.left_out.append(f"{name} (more than {EXTRA_METRICS_LIMIT} names of one's own)")
        else:
            self.extra[_not_taken(plain_name(name), self.extra)] = number


def read_report(epoch: int, metrics: Mapping[str, SupportsFloat]) -> Reported:
    """NonFinite for a loss; other numbers that are not finite are left out."""
    for name in ("train_loss", "validation_loss"):
        number = _number(metrics.get(name, 0.0))
        if number is not None and not isfinite(number):
            raise NonFinite(f"epoch {epoch}: {name} is {number}; nothing was saved from it")
    reported = Reported()
    for name, value in metrics.items():
        reported.take(name, value)
    return reported


def epoch_metrics(state: ScriptState, clock: EpochClock, reported: Reported) -> EpochMetrics:
    """With what is known of the epoch besides."""
    given = {
        "epoch": state.position.epoch + 1,
        "learning_rate": state.last_rate,
        "seconds_per_epoch": clock.total(),
        "samples_per_second": state.samples / clock.training if state.samples else None,
        **reported.known,
        "extra": reported.extra or None,
    }
    return EpochMetrics.model_validate(given)


def over_ranks(metrics: Mapping[str, SupportsFloat], world: World) -> dict[str, SupportsFloat]:
    """The mean of each number over the ranks that have it; what is a number nowhere stays as it is. Collective."""
    own = {name: number for name, value in metrics.items() if (number := _number(value)) is not None}
    rows = [json.loads(row) for row in world.gather(json.dumps(own).encode())]
    names = dict.fromkeys(name for row in rows for name in row)
    means = {name: fmean(row[name] for row in rows if name in row) for name in names}
    return {**{name: value for name, value in metrics.items() if name not in means}, **means}


def known_name(name: str) -> str:
    """`val/loss`, `valid_acc` and their like by the names that the built-in trainer has; any other as it is."""
    match = _KNOWN_ELSEWHERE.fullmatch(name.lower())
    return f"{_SPLITS[match[1]]}_{_MEASURES[match[2]]}" if match else name


def plain_name(name: str) -> str:
    """As status and Prometheus can hold it: `val/AR@100` becomes `val_AR_100`."""
    if _NOT_PLAIN.search(name):
        name = _NOT_PLAIN.sub("_", name).strip("_")
    return name[:EXTRA_NAME_LIMIT] or "metric"


def _not_taken(name: str, taken: Iterable[str]) -> str:
    """Two names may become one."""
    others = (f"{name[: EXTRA_NAME_LIMIT - 4]}_{number}" for number in count(2))
    return name if name not in taken else next(other for other in others if other not in taken)


def _number(value: SupportsFloat) -> float | None:
    try:
        return float(value.item() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last: a tensor of several
        return None


def is_better(new: EpochMetrics, best: EpochMetrics | None) -> bool:
    """By the loss on held-back samples if there is one, else by that of training."""
    if new.validation_loss is not None:
        return best is None or best.validation_loss is None or new.validation_loss < best.validation_loss
    if new.train_loss is not None:
        return best is None or best.train_loss is None or new.train_loss < best.train_loss
    return False


def plan_so_far(epochs: int, done: int, steps: int) -> Plan | None:
    """As far as the epochs so far tell; None if they told nothing."""
    per_epoch = steps // done if epochs else 0
    return Plan(0, (StagePlan(0, epochs, 0, 1, 1, per_epoch, 1.0),)) if per_epoch else None
