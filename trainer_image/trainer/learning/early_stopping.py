"""Which epoch was the best, and when to give up waiting for a better one."""

from typing import Literal

from trainer.errors import UserError
from trainer.learning.class_counts import DETAIL_CLASSES
from trainingjob_api.base import Report
from trainingjob_api.progress import EpochMetrics
from trainingjob_api.spec.training import EarlyStopping, Training


class Standing(Report):
    """The best epoch so far, and how many have gone by since."""

    criterion: str | None = None
    value: float | None = None
    metrics: EpochMetrics | None = None
    waited: int = 0

    @classmethod
    def before(cls, watched: EarlyStopping) -> "Standing":
        """Before the first epoch."""
        return cls(criterion=f"{watched.direction} {watched.metric}")

    def after(self, metrics: EpochMetrics, value: float, mode: Literal["min", "max"], min_delta: float) -> "Standing":
        """The standing after one epoch more."""
        if self.value is None or _gain(value, self.value, mode) > min_delta:
            return Standing(criterion=self.criterion, value=value, metrics=metrics)
        return self.model_copy(update={"waited": self.waited + 1})


def _gain(new: float, old: float, mode: Literal["min", "max"]) -> float:
    return new - old if mode == "max" else old - new


def criterion(recipe: Training) -> EarlyStopping:
    """What makes an epoch the best: what early stopping watches, else the loss (on held-back rows if there are any)."""
    if recipe.early_stopping is not None:
        return recipe.early_stopping
    return EarlyStopping(metric="validationLoss" if recipe.data.validation else "trainLoss")


_NEEDS = {
    "validationRocAuc": "it needs rows of at least two classes in data.validation, and at most "
    f"{DETAIL_CLASSES} classes in all",
    "validationR2": "it needs rows with different targets in data.validation",
}


def watched_value(metrics: EpochMetrics, watched: EarlyStopping) -> float:
    """UserError where the data do not define what is watched: another attempt would not find it either."""
    value: float | None = metrics.to_json_object().get(watched.metric)
    if value is None:
        needs = _NEEDS.get(watched.metric, "it is none of this training's metrics")
        raise UserError(f"earlyStopping.metric: {watched.metric} cannot be measured: {needs}. Watch validationLoss.")
    return value


def is_spent(standing: Standing, recipe: Training) -> bool:
    """Whether early stopping ends the training now."""
    return recipe.early_stopping is not None and standing.waited >= recipe.early_stopping.patience
