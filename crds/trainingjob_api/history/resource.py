"""The object of kind TrainingHistory: one for each TrainingJob, under its name, written by the operator."""

from typing import Literal, Self

from pydantic import Field

from trainingjob_api.base import Count, Report, Time
from trainingjob_api.history.columns import Columns
from trainingjob_api.history.history import LIST_LIMIT, AttemptStart, History
from trainingjob_api.history.spans import Span, gaps
from trainingjob_api.resource import Metadata


class ListedAttempt(Report):
    """An attempt that did epochs."""

    number: Count
    first_epoch: Count


class ListedSpan(Report):
    """Epochs from first to last."""

    first: Count
    last: Count


class TrainingHistory(Report):
    """Every epoch of a TrainingJob since the first, also when its pods are gone. Written by the operator.

    Read it with: kubectl get traininghistory NAME -o jsonpath={.data} | base64 -d | gunzip
    """

    api_version: Literal["trainingjob.dev/v1alpha1"] = "trainingjob.dev/v1alpha1"
    kind: Literal["TrainingHistory"] = "TrainingHistory"
    metadata: Metadata
    job_uid: str = Field(description="Of the TrainingJob: one that was deleted and made again has another.")
    epochs: Count = Field(default=0, description="Done when this was written, as far as is known.")
    attempt: Count = Field(default=0, description="The newest that is in here.")
    attempts: list[ListedAttempt] = Field(
        default=[], max_length=LIST_LIMIT, description="Where each began: pauses and restarts."
    )
    best: Count | None = Field(default=None, description="The best epoch.")
    missing: list[ListedSpan] = Field(
        default=[], max_length=LIST_LIMIT + 1, description="Epochs that were done and could not be had."
    )
    missing_epochs: Count = Field(default=0, description="How many those are.")
    thinned: bool = Field(default=False, description="Not all epochs are kept, see every.")
    every: Count = Field(
        default=1,
        description="Only epochs that this divides are kept, and the best, the last, and the first of each attempt.",
    )
    update_time: Time | None = None
    data: str = Field(
        description="base64 of gzip of JSON: a list for each of epoch, attempt, step, endedAt (Unix seconds), and of"
        " each of metrics and extra, by their names in status; null where nothing is known.",
    )

    @classmethod
    def of(cls, history: History, metadata: Metadata, now: Time) -> Self:
        missing = history.missing
        return cls(
            metadata=metadata,
            job_uid=history.uid,
            epochs=history.epochs,
            attempt=history.attempt,
            attempts=[ListedAttempt(number=start.number, first_epoch=start.first_epoch) for start in history.attempts],
            best=history.best,
            missing=[ListedSpan(first=span.first, last=span.last) for span in missing],
            missing_epochs=sum(span.epochs for span in missing),
            thinned=history.thinned,
            every=history.every,
            update_time=now,
            data=Columns.of(history.rows).packed(),
        )

    def history(self) -> History:
        """What is in it; ValueError if somebody has damaged it."""
        missing = tuple(Span(span.first, span.last) for span in self.missing)
        return History(
            uid=self.job_uid,
            rows=Columns.unpacked(self.data).rows(),
            epochs=self.epochs,
            known=gaps(missing, self.epochs),
            attempts=tuple(AttemptStart(start.number, start.first_epoch) for start in self.attempts),
            best=self.best,
            every=max(1, self.every),
        )
