"""The object that keeps every epoch of a TrainingJob, under its name: a new job of that name takes it over."""

from datetime import datetime

from training_operator.builders.metadata import Manifest, metadata
from trainingjob_api.history import History, TrainingHistory
from trainingjob_api.resource import TrainingJob

_KEPT = ["uid", "resourceVersion", "annotations", "finalizers"]


def build_history(job: TrainingJob, history: History, now: datetime, known: Manifest | None = None) -> Manifest:
    """known: the metadata of the object that it replaces, whose labels and annotations of others stay."""
    own = metadata(job, job.metadata.name)
    if known is not None:
        kept = {name: known[name] for name in _KEPT if name in known}
        own = {**kept, **own, "labels": {**known.get("labels", {}), **own["labels"]}}
    return {**TrainingHistory.of(history, job.metadata, now).to_json_object(), "metadata": own}
