"""The table of jobs: the columns of `kubectl get tj`, and more where there is room. Pure."""

from collections.abc import Sequence
from datetime import datetime

from trainingjob_api.progress import EpochMetrics
from trainingjob_cli.table import table, without_empty
from trainingjob_cli.words import age, number, since
from trainingjob_client.job import Job

_TITLES = ("NAME", "PHASE", "EPOCH", "TRAIN LOSS", "VAL LOSS", "BEST VAL", "ACCURACY", "MAE", "ETA", "RESTARTS", "AGE")
_WIDE = ("NODES", "ATTEMPT", "SAVED STEP", "MESSAGE")


def job_table(jobs: Sequence[Job], now: datetime, *, wide: bool = False, namespaces: bool = False) -> list[str]:
    """Lines, the titles first; a column that no job has anything for is left out."""
    titles = [*(("NAMESPACE",) if namespaces else ()), *_TITLES, *(_WIDE if wide else ())]
    rows = [
        [*((job.namespace,) if namespaces else ()), *_cells(job, now), *(_wide_cells(job) if wide else ())]
        for job in jobs
    ]
    return table(*without_empty(titles, rows))


def _cells(job: Job, now: datetime) -> list[str]:
    status = job.status
    progress, metrics = status.progress, status.metrics
    latest = (metrics and metrics.latest) or EpochMetrics(epoch=0)
    best = (metrics and metrics.best) or EpochMetrics(epoch=0)
    return [
        job.name,
        job.phase,
        progress.epoch_text if progress else "",
        number(latest.train_loss),
        number(latest.validation_loss),
        number(best.validation_loss),
        number(latest.validation_accuracy),
        number(latest.validation_mae),
        eta(job),
        str(status.restarts),
        since(job.created, now),
    ]


def eta(job: Job) -> str:
    """Time left, while it runs."""
    progress = job.status.progress
    if progress is None or progress.seconds_remaining is None or not job.is_running:
        return ""
    return age(progress.seconds_remaining)


def _wide_cells(job: Job) -> list[str]:
    saved = job.status.checkpoint
    return [
        str(job.spec.nodes),
        str(job.status.attempt),
        str(saved.step) if saved else "",
        job.message,
    ]
