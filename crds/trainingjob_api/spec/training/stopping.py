"""`training.earlyStopping` and `training.selection`: when to give up waiting, and which epoch's weights are kept."""

from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import Model, rule, rules

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


Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Criterion:
    """What makes one epoch better than another."""

    metric: Metric
    mode: Mode | None = None

    @property
    def direction(self) -> Mode:
        """As the metric is meant, unless a mode is given."""
        return self.mode or ("max" if self.metric in _THE_MORE_THE_BETTER else "min")

    def __str__(self) -> str:
        return f"{self.direction} {self.metric}"


class EarlyStopping(Model):
    """Stops when the metric has not improved for a number of epochs."""

    metric: Metric = "validationLoss"
    mode: Mode | None = Field(default=None, description="Default: as the metric is meant.")
    patience: int = Field(default=10, ge=1, le=100_000, description="Epochs without improvement.")
    min_delta: float = Field(
        default=0.0, ge=0, le=1e9, description="What patience takes for an improvement; the best epoch is the best."
    )
    restore_best: bool = Field(
        default=True, description="End with the weights of the best epoch, by this metric; see selection."
    )

    @property
    def criterion(self) -> Criterion:
        return Criterion(self.metric, self.mode)


_SELECTION_RULES = rules(
    rule("has(self.metric) != has(self.epoch)", "give exactly one of metric and epoch"),
    rule("!has(self.mode) || has(self.metric)", "mode belongs to metric", ".mode"),
)


class Selection(Model):
    """Which epoch's weights the finished model has."""

    model_config = ConfigDict(json_schema_extra=_SELECTION_RULES)

    metric: Metric | None = Field(default=None, description="Those of the epoch with the best of it.")
    mode: Mode | None = Field(default=None, description="Default: as the metric is meant.")
    epoch: Literal["last"] | None = Field(default=None, description="Those of the last epoch, whatever it measures.")

    @model_validator(mode="after")
    def _fields_agree(self) -> "Selection":
        """The same as the CEL rules."""
        if (self.metric is None) == (self.epoch is None):
            raise ValueError("give exactly one of metric and epoch")
        if self.mode and not self.metric:
            raise ValueError("mode belongs to metric")
        return self
