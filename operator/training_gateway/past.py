"""Every epoch of a training: from its TrainingHistory, and what status has told since. Unpacking is for a thread."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from training_gateway.measured import Numbers, api_name, epoch_of
from training_gateway.views import Document, View
from trainingjob_api.history import History, Row, TrainingHistory
from trainingjob_api.progress import EpochMetrics
from trainingjob_client.api import Raw

_ALWAYS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "time_per_epoch")


@dataclass(frozen=True)
class Past:
    """What was kept of one job, and the epochs that were told since."""

    kept: History | None
    since: tuple[EpochMetrics, ...] = ()

    def rows(self, after: int = 0) -> list[Numbers]:
        """In the order of the epochs, each with the seven numbers that are always there."""
        kept = [_numbers(row) for row in (self.kept.rows if self.kept else ()) if row.epoch > after]
        newer = (epoch_of(one) for one in self.since if one.epoch > max(after, self._last))
        return [*kept, *newer]

    @property
    def _last(self) -> int:
        return self.kept.rows[-1].epoch if self.kept and self.kept.rows else 0

    def document(self, task_id: str, best: int | None, after: int = 0) -> Document:
        kept = self.kept
        return {
            "success": True,
            "task_id": task_id,
            "history": self.rows(after),
            "attempts": [
                {"attempt": start.number, "first_epoch": start.first_epoch} for start in (kept.attempts if kept else ())
            ],
            "missing": [list(span) for span in (kept.missing if kept else ())],
            "thinned": bool(kept and kept.thinned),
            "best_epoch": best if best is not None else kept.best if kept else None,
        }


def _numbers(row: Row) -> Numbers:
    measured = {api_name(name): number for name, number in row.metrics.items()}
    known = {} if row.attempt is None else {"attempt": row.attempt}
    return {**dict.fromkeys(_ALWAYS), "epoch": row.epoch, **measured, **row.extra, **known}


def past_of(raw: Raw | None, since: Iterable[EpochMetrics]) -> Past:
    """Unpacks; whatever of it is damaged counts as not kept."""
    try:
        kept = TrainingHistory.model_validate(raw).history() if raw else None
    except ValueError:
        kept = None
    by_epoch = {metrics.epoch: metrics for metrics in since}
    return Past(kept, tuple(by_epoch[epoch] for epoch in sorted(by_epoch)))


def as_progress(view: View, rows: Iterable[Numbers]) -> Iterator[tuple[int, Document]]:
    """As if each epoch had been told when it ended."""
    best: dict[str, Any] = {"loss": None, "accuracy": None}
    for row in rows:
        which = "train" if row["val_loss"] is None else "val"
        loss = row[f"{which}_loss"]
        if loss is not None and (best["loss"] is None or loss < best["loss"]):
            best = {"loss": loss, "accuracy": row[f"{which}_accuracy"], "epoch": row["epoch"]}
        yield (
            row["epoch"],
            {
                "current_epoch": row["epoch"],
                "total_epochs": view.epochs,
                "training_state": "running",
                "latest_metrics": row,
                "best_metrics": best,
            },
        )
