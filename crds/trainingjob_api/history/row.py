"""One epoch of a history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from trainingjob_api.progress import EpochMetrics

_NOT_MEASURED = {"epoch", "extra"}


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one epoch; numbers have six significant digits, as in status."""

    epoch: int
    """Counted from 1."""
    attempt: int | None = None
    """That trained it; None: the trainer was of a release that did not write it down."""
    step: int | None = None
    """Optimizer steps done at its end."""
    ended_at: datetime | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    """By the names of `status.metrics.latest`: trainLoss, validationAccuracy, learningRate, secondsPerEpoch, ..."""
    extra: Mapping[str, float] = field(default_factory=dict)
    """What a program of one's own reports, by its names."""

    @property
    def seconds(self) -> float | None:
        return self.metrics.get("secondsPerEpoch")

    @property
    def learning_rate(self) -> float | None:
        return self.metrics.get("learningRate")


def row_of(metrics: EpochMetrics, attempt: int | None, step: int | None, ended_at: float | None) -> Row:
    """ended_at: Unix seconds."""
    numbers = metrics.model_dump(by_alias=True, exclude_none=True, exclude=_NOT_MEASURED)
    return Row(
        epoch=metrics.epoch,
        attempt=attempt,
        step=step,
        ended_at=None if ended_at is None else datetime.fromtimestamp(int(ended_at), UTC),
        metrics={name: six_digits(number) for name, number in numbers.items()},
        extra={name: six_digits(number) for name, number in (metrics.extra or {}).items()},
    )


def six_digits(number: float) -> float:
    """Rounded for people: the exact numbers are in the history beside the checkpoints."""
    return float(f"{number:.6g}")
