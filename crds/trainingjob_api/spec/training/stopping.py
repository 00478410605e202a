"""`training.earlyStopping`: which epoch is the best, and when to give up waiting for a better one."""

from typing import Literal, get_args

from pydantic import Field

from trainingjob_api.base import Model

ClassificationMetric = Literal[
    "trainAccuracy",
    "validationAccuracy",
    "validationPrecision",
    "validationRecall",
    "validationF1",
    "validationRocAuc",
]
RegressionMetric = Literal["trainMae", "validationMae", "validationRmse", "validationR2"]
Metric = Literal["trainLoss", "validationLoss", ClassificationMetric, RegressionMetric]

CLASSIFICATION_METRICS: tuple[str, ...] = get_args(ClassificationMetric)
REGRESSION_METRICS: tuple[str, ...] = get_args(RegressionMetric)
_THE_MORE_THE_BETTER = (*CLASSIFICATION_METRICS, "validationR2")


class EarlyStopping(Model):
    """Stops when the metric has not improved for a number of epochs."""

    metric: Metric = "validationLoss"
    mode: Literal["min", "max"] | None = Field(default=None, description="Default: as the metric is meant.")
    patience: int = Field(default=10, ge=1, le=100_000, description="Epochs without improvement.")
    min_delta: float = Field(default=0.0, ge=0, le=1e9, description="What counts as improvement.")
    restore_best: bool = Field(default=True, description="End with the weights of the best epoch.")

    @property
    def direction(self) -> Literal["min", "max"]:
        return self.mode or ("max" if self.metric in _THE_MORE_THE_BETTER else "min")
