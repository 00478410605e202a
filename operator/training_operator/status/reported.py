"""What the trainer says -> the fields of status that show it. Pure."""

from datetime import datetime, timedelta
from typing import TypeVar

from trainingjob_api.progress import EpochMetrics, Progress, Resumption, SavedCheckpoint, State, TestMetrics
from trainingjob_api.status import (
    CheckpointStatus,
    MetricsStatus,
    PauseStatus,
    ProgressStatus,
    ResumeStatus,
    TrainingJobStatus,
)

_Metrics = TypeVar("_Metrics", EpochMetrics | None, TestMetrics | None)

_SILENT = (State.STARTING, State.RESTORING, State.RUNNING)
"""In these a trainer has nothing to tell; in the last it never will, unless its program begins to report."""

SHORTEST_INTERVAL = timedelta(seconds=10)


def absorb(status: TrainingJobStatus, report: Progress, now: datetime) -> TrainingJobStatus:
    """Status with everything that this report tells; before it trains a trainer has nothing to tell."""
    if report.state in _SILENT:
        return status
    resume = report.resume
    return status.model_copy(
        update={
            "progress": progress_of(report, now),
            "metrics": MetricsStatus(
                latest=_rounded(report.latest), best=_rounded(report.best), test=_rounded(report.test)
            ),
            "checkpoint": checkpoint_of(report.checkpoint) if report.checkpoint else status.checkpoint,
            "resume": resume_of(resume) if resume else status.resume,
            "notices": report.notices,
            "pause": _proven(status.pause, resume, status) if resume and status.pause else status.pause,
        }
    )


def is_news(status: TrainingJobStatus, report: Progress) -> bool:
    """Whether it is worth a write: an epoch ended, or something was learned for the first time."""
    shown = status.progress
    if report.state in _SILENT:
        return False
    if shown is None:
        return True
    return (
        report.epoch != shown.epoch
        or (report.finishing is not None and str(report.finishing) != shown.doing)
        or (report.epochs in (0, report.epoch) and report.step != shown.step)
        or (report.resume is not None and status.resume is None)
        or (report.checkpoint is not None and status.checkpoint is None)
    )


def due_time(status: TrainingJobStatus, report: Progress) -> datetime | None:
    """The earliest time for the next write of progress; None: at once."""
    shown = status.progress
    if shown is None or (report.finishing is not None and shown.doing is None):
        return None
    return shown.update_time + SHORTEST_INTERVAL


UNBOUNDED = 2**31
"""So many epochs nobody asks for: Hugging Face says so of a stream."""


def progress_of(report: Progress, now: datetime) -> ProgressStatus:
    if report.epochs >= UNBOUNDED:
        report = report.model_copy(update={"epochs": 0, "seconds_remaining": None})
    seconds = None if report.seconds_remaining is None else max(0, round(report.seconds_remaining))
    return ProgressStatus(
        epoch=report.epoch,
        epochs=report.epochs,
        step=report.step,
        epoch_text=f"{report.epoch}/{report.epochs}" if report.epochs else str(report.epoch),
        percent=min(100, 100 * report.epoch // report.epochs) if report.epochs else None,
        samples_per_second=None if report.samples_per_second is None else _six_digits(report.samples_per_second),
        seconds_remaining=seconds,
        remaining_text=None if seconds is None else duration_text(seconds),
        doing=None if report.finishing is None else str(report.finishing),
        update_time=now,
    )


def at_rest(shown: ProgressStatus | None) -> ProgressStatus | None:
    """While nothing trains nothing has a rate, and nobody knows when it will be done."""
    nothing = {"samples_per_second": None, "seconds_remaining": None, "remaining_text": None, "doing": None}
    return shown and shown.model_copy(update=nothing)


def checkpoint_of(saved: SavedCheckpoint) -> CheckpointStatus:
    return CheckpointStatus(
        step=saved.step,
        epoch=saved.epoch,
        path=saved.path,
        size_bytes=saved.size_bytes,
        save_time=saved.save_time,
        save_seconds=saved.save_seconds,
    )


def _rounded(metrics: _Metrics) -> _Metrics:
    """Six significant digits: status is for people, the exact numbers are in the history beside the checkpoints."""
    if metrics is None:
        return None
    rounded: dict[str, object] = {name: _six_digits(value) for name, value in metrics if isinstance(value, float)}
    if isinstance(metrics, EpochMetrics) and metrics.extra:
        rounded["extra"] = {name: _six_digits(value) for name, value in metrics.extra.items()}
    return metrics.model_copy(update=rounded)


def _six_digits(number: float) -> float:
    return float(f"{number:.6g}")


def resume_of(resume: Resumption) -> ResumeStatus:
    return ResumeStatus(
        from_step=resume.from_step,
        from_attempt=resume.from_attempt,
        exactness=resume.exactness,
        reason=resume.reason,
    )


def _proven(pause: PauseStatus, resume: Resumption, status: TrainingJobStatus) -> PauseStatus:
    """A pause whose end nobody saw: the next attempt tells what it found on disk."""
    was_asked = resume.on_request and resume.from_attempt == status.attempt - 1
    # What a later attempt saved says nothing about the pause.
    was_there = pause.completed_time is None or resume.save_time <= pause.completed_time
    if pause.evidence is not None or not pause.resources_released or not (was_asked or was_there):
        return pause
    done = status.progress.step if status.progress else 0
    # A step count that is older than the checkpoint says nothing about what came after it.
    lost = 0 if resume.on_request else (done - resume.from_step if done > resume.from_step else None)
    return pause.model_copy(
        update={
            "saved_step": resume.from_step,
            "saved_time": resume.save_time,
            "lost_steps": lost,
            "evidence": "NextAttempt",
        }
    )


def duration_text(seconds: int) -> str:
    """As Kubernetes writes durations: 45s, 1m2s, 3h5m, 2d4h."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days}d{hours % 24}h"
    if hours:
        return f"{hours}h{minutes % 60}m"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"
