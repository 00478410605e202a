"""Every epoch of a job, as the operator has kept it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainingjob_api.history import AttemptStart, History, Row, Span, TrainingHistory
from trainingjob_client.api import Api, Raw
from trainingjob_client.errors import ClientError, NotFoundError, NotInstalledError
from trainingjob_client.job import Job
from trainingjob_client.resources import TRAINING_HISTORIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pyarrow import Table


@dataclass(frozen=True)
class JobHistory:
    """Rows in the order of their epochs, over all attempts; metrics by their names in status, such as trainLoss."""

    name: str
    kept: History

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.kept.rows

    @property
    def attempts(self) -> tuple[AttemptStart, ...]:
        """Where each began: pauses and restarts."""
        return self.kept.attempts

    @property
    def best(self) -> int | None:
        """The best epoch."""
        return self.kept.best

    @property
    def missing(self) -> tuple[Span, ...]:
        """Epochs that were done and could not be had."""
        return self.kept.missing

    @property
    def thinned(self) -> bool:
        """Not every epoch is kept; best, last, and where attempts began are."""
        return self.kept.thinned

    @property
    def metrics(self) -> list[str]:
        """Names of what is measured, in the order in which they came up."""
        return list(dict.fromkeys(name for row in self.rows for name in row.metrics))

    def series(self, metric: str) -> tuple[list[int], list[float]]:
        """Epochs and values, where there is one; metrics of a program's own as well."""
        points = [(row.epoch, value) for row in self.rows if (value := value_of(row, metric)) is not None]
        return [epoch for epoch, _ in points], [value for _, value in points]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One for each epoch: epoch, attempt, step, endedAt, and the metrics."""
        return [
            {
                "epoch": row.epoch,
                "attempt": row.attempt,
                "step": row.step,
                "endedAt": row.ended_at,
                **row.metrics,
                **row.extra,
            }
            for row in self.rows
        ]

    def to_arrow(self) -> "Table":
        """The same as a table of pyarrow, which has to be installed."""
        import pyarrow

        rows = self.to_dicts()
        names = dict.fromkeys(["epoch", "attempt", "step", "endedAt", *(name for row in rows for name in row)])
        return pyarrow.table({name: pyarrow.array([row.get(name) for row in rows]) for name in names})

    def plot(self) -> "Figure":
        """Losses, quality and learning rate, with the best epoch and where attempts began. Needs matplotlib."""
        from trainingjob_client.plotting import curves

        return curves([self])


def value_of(row: Row, metric: str) -> float | None:
    return row.metrics.get(metric, row.extra.get(metric))


async def read_history(api: Api, job: Job) -> JobHistory:
    """What is kept of a job; without rows while no epoch was done."""
    raw = await fetch_history(api, job)
    if raw is None:
        return JobHistory(job.name, History(uid=job.uid))
    try:
        return JobHistory(job.name, TrainingHistory.model_validate(raw).history())
    except ValueError as error:
        raise ClientError(f"the history of {job.name} cannot be read: {error}") from error


async def fetch_history(api: Api, job: Job) -> Raw | None:
    """As it is written; None: nothing is kept of this job, of another of its name at most."""
    try:
        raw = await api.get(TRAINING_HISTORIES, job.name, job.namespace)
    except NotInstalledError:
        raise
    except NotFoundError:
        return None
    return raw if raw.get("jobUid") == job.uid else None


def names(histories: Sequence[JobHistory]) -> list[str]:
    """Metrics of any of them."""
    return list(dict.fromkeys(name for history in histories for name in history.metrics))
