"""A TrainingJob as the API shows it: its progress, its line in the list, and the end of its stream. Pure."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from training_gateway.identity import task_id_of
from training_gateway.measured import best_of, epoch_of, test_of
from training_gateway.states import FAILED, state_of
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import ConditionType
from trainingjob_client.job import Job

Document = dict[str, Any]


@dataclass(frozen=True)
class View:
    """One TrainingJob at one version."""

    job: Job

    @cached_property
    def task_id(self) -> str:
        return task_id_of(self.job)

    @property
    def key(self) -> tuple[str, str]:
        return self.job.namespace, self.job.name

    @cached_property
    def state(self) -> str:
        return state_of(self.job)

    @property
    def epoch(self) -> int:
        """Whole epochs done, as far as is known."""
        return self.job.status.progress.epoch if self.job.status.progress else 0

    @property
    def epochs(self) -> int | None:
        """None: the data or the program will tell."""
        progress = self.job.status.progress
        return progress.epochs if progress and progress.epochs else _epochs_asked(self.job.spec)

    @cached_property
    def progress(self) -> Document:
        metrics = self.job.status.metrics
        return {
            "current_epoch": self.epoch,
            "total_epochs": self.epochs,
            "training_state": self.state,
            "latest_metrics": epoch_of(metrics.latest) if metrics and metrics.latest else {},
            "best_metrics": best_of(metrics.best if metrics else None),
        }

    @property
    def ending(self) -> Document:
        """What the stream of a finished job ends with."""
        return {
            "type": "complete",
            "task_id": self.task_id,
            "state": self.state,
            **({"reason": self.reason, "message": self.job.message} if self.state == FAILED else {}),
            "progress": self.progress,
        }

    @property
    def reason(self) -> str | None:
        """Why it is as it is, in one word: what failed last, if it has failed; else what the condition Ready says."""
        status = self.job.status
        if self.state == FAILED and status.last_failure:
            return str(status.last_failure.reason)
        told = status.condition(ConditionType.FAILED if self.state == FAILED else ConditionType.READY)
        return str(told.reason) if told else "Unknown" if self.state == FAILED else None

    @cached_property
    def item(self) -> Document:
        """Its line in a list; what is not known is null."""
        job, status, spec = self.job, self.job.status, self.job.spec
        latest = status.metrics.latest if status.metrics else None
        training = spec.training
        return {
            "task_id": self.task_id,
            "name": job.title,
            "object_name": job.name,
            "namespace": job.namespace,
            "state": self.state,
            "suspended": job.is_suspended,
            "reason": self.reason,
            "message": job.message,
            "epoch": self.epoch,
            "epochs": self.epochs,
            "percent": status.progress.percent if status.progress else None,
            "loss": latest.train_loss if latest else None,
            "validation_loss": latest.validation_loss if latest else None,
            "accuracy": latest.validation_accuracy if latest else None,
            "validation_mae": latest.validation_mae if latest else None,
            "best": best_of(status.metrics.best) if status.metrics and status.metrics.best else None,
            "eta_seconds": status.progress.seconds_remaining if status.progress else None,
            "created_at": _written(job.created),
            "started_at": _written(status.start_time),
            "completed_at": _written(status.completion_time),
            "attempt": status.attempt,
            "restarts": status.restarts,
            "nodes": spec.nodes,
            "model_type": training.model.type if training else "script",
            "task": training.task if training else None,
        }

    @property
    def result(self) -> Document:
        """What came out of it, as far as it is there."""
        status, metrics = self.job.status, self.job.status.metrics
        return {
            "training_state": self.state,
            "final_metrics": epoch_of(metrics.latest) if metrics and metrics.latest else None,
            "best_metrics": epoch_of(metrics.best) if metrics and metrics.best else None,
            "test_metrics": test_of(metrics.test if metrics else None),
            "epochs": self.epoch,
            "attempts": status.attempt,
            "restarts": status.restarts,
            "started_at": _written(status.start_time),
            "completed_at": _written(status.completion_time),
            "message": self.job.message,
            "notices": list(status.notices),
        }


def _epochs_asked(spec: TrainingJobSpec) -> int | None:
    return spec.training.total_epochs if spec.training else None


def _written(time: datetime | None) -> str | None:
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"
