"""A TrainingJob's status -> the text of its series. Pure; made when the object changes, not when somebody scrapes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from training_operator.metrics import catalogue
from training_operator.metrics.catalogue import JOB_LABELS
from trainingjob_api.metrics import MetricFamily
from trainingjob_api.progress import EpochMetrics, TestMetrics
from trainingjob_api.status import ConditionType, TrainingJobStatus

Number = Callable[[TrainingJobStatus], float | None]


@dataclass(frozen=True, slots=True)
class Row:
    """The series of one TrainingJob: before every cell stand a family's name and the labels that all share."""

    labels: bytes
    cells: tuple[bytes, ...]
    """In the order of FAMILIES: what follows the labels, to the end of the line; empty where there is nothing."""
    ended: float | None
    """When it was complete or had failed, in seconds since the epoch."""


def row_of(namespace: str, name: str, uid: str, status: TrainingJobStatus) -> Row:
    """All series of one TrainingJob."""
    shared = f"{{{label_text(dict(zip(JOB_LABELS, (name, namespace, uid), strict=True)))}"
    numbers = ((family, number(status)) for family, number in _NUMBERS.items())
    cells = (
        _phase(status),
        *("" if value is None else f"}} {number_text(value)}\n" for _, value in numbers),
        _of_ones_own(shared, status),
    )
    return Row(shared.encode(), tuple(cell.encode() for cell in cells), ended_at(status))


def label_text(labels: dict[str, str]) -> str:
    """As both formats want it, without braces."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def number_text(value: float) -> str:
    """As Prometheus' own clients write it; infinities differ from Python's."""
    text = repr(float(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _phase(status: TrainingJobStatus) -> str:
    ready = status.condition(ConditionType.READY)
    labels = {"phase": status.phase, "reason": ready.reason if ready else ""}
    return f",{label_text(labels)}}} 1.0\n"


def _of_ones_own(shared: str, status: TrainingJobStatus) -> str:
    """Several lines: the first stands behind the shared labels, the others bring them along."""
    latest = status.metrics.latest if status.metrics else None
    lines = [
        f",{label_text({'name': name})}}} {number_text(value)}\n"
        for name, value in ((latest and latest.extra) or {}).items()
    ]
    return f"{catalogue.USER_METRIC.name}{shared}".join(lines)


def ended_at(status: TrainingJobStatus) -> float | None:
    """When it was complete or had failed, in seconds since the epoch."""
    if not status.is_finished:
        return None
    if status.completion_time is not None:
        return status.completion_time.timestamp()
    ends = (status.condition(type) for type in (ConditionType.COMPLETE, ConditionType.FAILED))
    return max(end.last_transition_time.timestamp() for end in ends if end is not None)


def _of_progress(field: str) -> Number:
    return lambda status: getattr(status.progress, field) if status.progress else None


def _while_running(field: str) -> Number:
    number = _of_progress(field)
    return lambda status: number(status) if status.is_true(ConditionType.RUNNING) else None


def _once_ended(number: Number) -> Number:
    return lambda status: number(status) if status.is_finished else None


def _of(which: str, field: str) -> Number:
    def number(status: TrainingJobStatus) -> float | None:
        metrics: EpochMetrics | TestMetrics | None = getattr(status.metrics, which) if status.metrics else None
        return getattr(metrics, field) if metrics else None

    return number


def _unless(first: Number, second: Number) -> Number:
    """The second where there is no first: a program may report the measures of both tasks, and one is enough."""
    return lambda status: second(status) if first(status) is None else None


def _seconds(time: datetime | None) -> float | None:
    return time.timestamp() if time else None


_NUMBERS: dict[MetricFamily, Number] = {
    catalogue.ATTEMPT: lambda status: status.attempt,
    catalogue.RESTARTS: lambda status: status.restarts,
    catalogue.DISRUPTIONS: lambda status: status.disruptions,
    catalogue.START_TIMESTAMP: lambda status: _seconds(status.start_time),
    catalogue.COMPLETION_TIMESTAMP: ended_at,
    catalogue.EPOCH: _of_progress("epoch"),
    catalogue.EPOCHS: lambda status: (status.progress.epochs or None) if status.progress else None,
    catalogue.SAMPLES_PER_SECOND: _while_running("samples_per_second"),
    catalogue.REMAINING: _while_running("seconds_remaining"),
    catalogue.LAST_CHECKPOINT: lambda status: _seconds(status.checkpoint.save_time if status.checkpoint else None),
    catalogue.TRAIN_LOSS: _of("latest", "train_loss"),
    catalogue.VALIDATION_LOSS: _of("latest", "validation_loss"),
    catalogue.VALIDATION_ACCURACY: _of("latest", "validation_accuracy"),
    catalogue.VALIDATION_MAE: _unless(_of("latest", "validation_accuracy"), _of("latest", "validation_mae")),
    catalogue.BEST_EPOCH: _of("best", "epoch"),
    catalogue.BEST_VALIDATION_LOSS: _of("best", "validation_loss"),
    catalogue.BEST_VALIDATION_ACCURACY: _of("best", "validation_accuracy"),
    catalogue.BEST_VALIDATION_MAE: _unless(_of("best", "validation_accuracy"), _of("best", "validation_mae")),
    catalogue.TEST_ACCURACY: _once_ended(_of("test", "accuracy")),
    catalogue.TEST_MAE: _once_ended(_unless(_of("test", "accuracy"), _of("test", "mae"))),
}

FAMILIES = (catalogue.PHASE, *_NUMBERS, catalogue.USER_METRIC)
