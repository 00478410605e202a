"""What `watch` shows of a job at one moment. Pure, but for rich's own objects."""

from datetime import datetime

from trainingjob_api.progress import EpochMetrics
from trainingjob_cli.columns import eta, job_table
from trainingjob_cli.sparkline import sparkline
from trainingjob_cli.words import count, number
from trainingjob_client.history import JobHistory
from trainingjob_client.job import Job

_CURVES = {
    "trainLoss": "train loss",
    "validationLoss": "val. loss",
    "validationAccuracy": "val. accuracy",
    "validationMae": "val. MAE",
}
_TITLE = 14


def frame(job: Job, history: JobHistory, now: datetime, width: int) -> list[str]:
    """The table, a bar, the curves and what the operator says."""
    lines = [*job_table([job], now), "", bar(job, width), ""]
    lines += [curve for name, title in _CURVES.items() if (curve := _curve(history, name, title, width))]
    marks = f"{count(len(history.attempts) - 1, 'pause or restart')}" if len(history.attempts) > 1 else ""
    said = [text for text in (job.message, marks) if text]
    return [*lines, "", *said] if said else lines


def bar(job: Job, width: int) -> str:
    """How far it is, where that is known."""
    progress = job.status.progress
    if progress is None or progress.percent is None:
        return job.phase
    left = eta(job)
    tail = f" {progress.percent:3d}%  epoch {progress.epoch_text}" + (f"  {left} left" if left else "")
    room = max(10, min(60, width - len(tail) - 1))
    done = room * progress.percent // 100
    return "█" * done + "░" * (room - done) + tail


def line(job: Job) -> str:
    """The same in one line, for what is no terminal."""
    status = job.status
    latest = (status.metrics and status.metrics.latest) or EpochMetrics(epoch=0)
    epoch = f"epoch {status.progress.epoch_text}" if status.progress else ""
    losses = [
        f"{name} {number(value)}"
        for name, value in (
            ("train loss", latest.train_loss),
            ("val. loss", latest.validation_loss),
            ("val. accuracy", latest.validation_accuracy),
        )
        if value is not None
    ]
    said = job.message if not job.is_running else ""
    return "  ".join(part for part in (job.phase, epoch, ", ".join(losses), said) if part)


def _curve(history: JobHistory, metric: str, title: str, width: int) -> str:
    _, values = history.series(metric)
    if len(values) < 2:
        return ""
    ends = f"  {number(values[0])} → {number(values[-1])}"
    return f"{title:<{_TITLE}}{sparkline(values, max(10, width - _TITLE - len(ends)))}{ends}"


def changed(before: Job | None, now: Job) -> bool:
    """Whether there is a new line to be said: an epoch, a phase or other words."""
    return before is None or line(before) != line(now)
