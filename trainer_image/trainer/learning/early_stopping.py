"""Which epoch was the best, and when to give up waiting for a better one."""

from typing import Any

from pydantic import model_validator

from trainer.errors import UserError
from trainer.learning.class_counts import DETAIL_CLASSES
from trainingjob_api.base import Report
from trainingjob_api.progress import EpochMetrics
from trainingjob_api.spec.training import Criterion, Training


class Standing(Report):
    """The best epoch so far, and for how many epochs nothing has improved that is worth waiting for."""

    criterion: str | None = None
    """What makes an epoch the best; None: none is."""
    value: float | None = None
    metrics: EpochMetrics | None = None
    watched: str | None = None
    """What patience looks at."""
    reference: float | None = None
    """What the next value of it must be better than, by more than minDelta."""
    waited: int = 0

    @classmethod
    def before(cls, recipe: Training) -> "Standing":
        """Before the first epoch."""
        return cls(criterion=recipe.best_by and str(recipe.best_by), watched=str(recipe.watched))

    @model_validator(mode="before")
    @classmethod
    def _watched_is_new(cls, fields: Any) -> Any:
        """Of version 0.1, whose best epoch was the last that patience took for better."""
        if isinstance(fields, dict) and "criterion" in fields and "watched" not in fields:
            return {**fields, "watched": fields["criterion"], "reference": fields.get("value")}
        return fields

    def after(self, metrics: EpochMetrics, recipe: Training) -> "Standing":
        """The standing after one epoch more."""
        best_by, watched = recipe.best_by, recipe.watched
        changes: dict[str, Any] = {}
        if best_by is not None:
            is_selected = recipe.selection is not None and recipe.selection.metric is not None
            value = measured(metrics, best_by, "selection" if is_selected else "earlyStopping")
            if self.value is None or _gain(value, self.value, best_by) > 0:
                changes |= {"value": value, "metrics": metrics}
        value = measured(metrics, watched, "earlyStopping")
        min_delta = recipe.early_stopping.min_delta if recipe.early_stopping else 0.0
        if self.reference is None or _gain(value, self.reference, watched) > min_delta:
            changes |= {"reference": value, "waited": 0}
        else:
            changes |= {"waited": self.waited + 1}
        return self.model_copy(update=changes)


def _gain(new: float, old: float, criterion: Criterion) -> float:
    return new - old if criterion.direction == "max" else old - new


_NEEDS = {
    "validationRocAuc": "it needs rows of at least two classes in data.validation, and at most "
    f"{DETAIL_CLASSES} classes in all",
    "validationR2": "it needs rows with different targets in data.validation",
}


def measured(metrics: EpochMetrics, criterion: Criterion, field: str) -> float:
    """UserError where the data do not define what a field asks for: another attempt would not find it either."""
    value: float | None = metrics.to_json_object().get(criterion.metric)
    if value is None:
        needs = _NEEDS.get(criterion.metric, "it is none of this training's metrics")
        raise UserError(f"{field}.metric: {criterion.metric} cannot be measured: {needs}. Take validationLoss.")
    return value


def is_spent(standing: Standing, recipe: Training) -> bool:
    """Whether early stopping ends the training now."""
    return recipe.early_stopping is not None and standing.waited >= recipe.early_stopping.patience
