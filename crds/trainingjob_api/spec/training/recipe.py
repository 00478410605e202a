"""`spec.training`: the recipe of the built-in trainer.

A field stands here once the trainer does what it says; until then the API server refuses it.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import Model, rule, rules
from trainingjob_api.spec.training.data import Data, FilePath
from trainingjob_api.spec.training.model import NetworkModel
from trainingjob_api.spec.training.optimization import (
    CLASSIFICATION_LOSSES,
    BatchSize,
    Budget,
    Epochs,
    Gradient,
    Loss,
    Optimizer,
    Regularization,
    Schedule,
    Stage,
)
from trainingjob_api.spec.training.stopping import (
    CLASSIFICATION_METRICS,
    REGRESSION_METRICS,
    Criterion,
    EarlyStopping,
    Metric,
    Selection,
)

DEFAULT_EPOCHS = 100
DEFAULT_BATCH_SIZE = 32
_RATE = "(has(self.optimizer) && has(self.optimizer.learningRate) ? self.optimizer.learningRate : 0.001)"


def epochs_of(training: str) -> str:
    """A CEL expression: how many epochs the recipe asks for that such an expression leads to; a budget not counted."""
    by_stage = f"{training}.stages.map(s, s.epochs).sum()"
    return f"(has({training}.stages) ? {by_stage} : has({training}.epochs) ? {training}.epochs : {DEFAULT_EPOCHS})"


class Export(Model):
    """The finished model. `safetensors` is always written: model.safetensors and model.json."""

    formats: list[Literal["safetensors", "torchExport", "onnx"]] = Field(
        default=["safetensors"],
        max_length=3,
        description="safetensors is always written. torchExport and onnx: model.pt2 and model.onnx, programs that take "
        "values as they are in the data, scaling included.",
    )
    path: Annotated[FilePath, Field(pattern=r"^/")] | None = Field(
        default=None, description="A folder in a mounted volume. Default: `model` in the job's checkpoint folder."
    )


def _belongs_to_task(field: str) -> list[dict[str, str]]:
    """CEL: the metric of this field is one of the task."""
    given = f"!has(self.{field}) || !has(self.{field}.metric)"
    metrics = {"classification": CLASSIFICATION_METRICS, "regression": REGRESSION_METRICS}
    return [
        rule(
            f"{given} || self.task == '{task}' || !(self.{field}.metric in {list(names)})",
            f"this is a metric of {task}",
            f".{field}.metric",
        )
        for task, names in metrics.items()
    ]


_TRAINING_RULES = rules(
    rule(
        f"!has(self.loss) || (self.loss.type in {list(CLASSIFICATION_LOSSES)}) == (self.task == 'classification')",
        "crossEntropy, multiMargin and focal are for classification, mse, mae and huber for regression",
        ".loss.type",
    ),
    rule(
        "!has(self.earlyStopping) || (has(self.earlyStopping.metric) && self.earlyStopping.metric.startsWith('train'))"
        " || has(self.data.validation)",
        "a validation metric needs data.validation",
        ".earlyStopping",
    ),
    rule(
        "!has(self.selection) || !has(self.selection.metric) || self.selection.metric.startsWith('train')"
        " || has(self.data.validation)",
        "a validation metric needs data.validation",
        ".selection.metric",
    ),
    *_belongs_to_task("earlyStopping"),
    *_belongs_to_task("selection"),
    rule(
        "!has(self.selection) || !has(self.earlyStopping) || !has(self.earlyStopping.restoreBest)"
        " || self.earlyStopping.restoreBest",
        "selection says which weights are kept: leave restoreBest out",
        ".earlyStopping.restoreBest",
    ),
    rule(
        "[has(self.stages), has(self.budget), has(self.epochs)].filter(given, given).size() <= 1",
        "give one of epochs, stages and budget",
        ".epochs",
    ),
    rule("!has(self.stages) || !has(self.batchSize)", "stages have batch sizes of their own", ".batchSize"),
    rule(
        "has(self.budget) || !has(self.schedule) || !has(self.schedule.warmup)"
        f" || type(self.schedule.warmup.epochs) != int || int(self.schedule.warmup.epochs) < {epochs_of('self')}",
        "warm-up must be shorter than the training (epochs, default 100)",
        ".schedule.warmup.epochs",
    ),
    rule(
        "!has(self.schedule) || !has(self.schedule.minimum) || self.schedule.type == 'cyclic'"
        f" || self.schedule.minimum <= {_RATE}",
        "minimum must not exceed optimizer.learningRate (default 0.001)",
        ".schedule.minimum",
    ),
    rule(
        "!(self.model.type in ['lstm', 'gru']) || has(self.data.sequence)"
        " || (has(self.data.shape) && self.data.shape.size() == 2)",
        "lstm and gru need data.sequence, or data.shape [length, features]",
        ".model.type",
    ),
    rule(
        "self.model.type != 'cnn' || (has(self.data.shape) && self.data.shape.size() == 3)"
        " || (has(self.data.format) && self.data.format in ['idx', 'imageFolder'])",
        "cnn needs images: data.shape [channels, height, width]",
        ".model.type",
    ),
)


class Training(Model):
    """The recipe of the built-in trainer."""

    model_config = ConfigDict(json_schema_extra=_TRAINING_RULES)

    task: Literal["classification", "regression"]
    epochs: Epochs | None = Field(
        default=None, description=f"May grow at any time, never shrink. Default: {DEFAULT_EPOCHS}."
    )
    batch_size: BatchSize | None = Field(
        default=None,
        description="Samples per batch, over all ranks together, or all: full-batch gradient descent. "
        f"Default: {DEFAULT_BATCH_SIZE}.",
    )
    stages: Annotated[list[Stage], Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Progressive training, one after the other; in place of epochs and batchSize."
    )
    budget: Budget | None = Field(default=None, description="In place of epochs.")
    data: Data
    model: NetworkModel
    loss: Loss | None = Field(default=None, description="Default: crossEntropy for classification, mse for regression.")
    optimizer: Optimizer = Optimizer()
    schedule: Schedule | None = Field(default=None, description="Default: constant.")
    regularization: Regularization | None = Field(default=None, description="Default: none.")
    gradient: Gradient = Gradient()
    early_stopping: EarlyStopping | None = Field(default=None, description="Default: train every epoch.")
    selection: Selection | None = Field(
        default=None,
        description="Default: by what early stopping watches; without it by validationLoss; without data.validation "
        "the last epoch.",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32",
        description="Of the forward pass. Weights stay in float32; float16 scales the loss so that gradients last.",
    )
    deterministic: bool = Field(
        default=False, description="Deterministic kernels only: bit-exact on a GPU as far as PyTorch promises it."
    )
    compile: bool = Field(
        default=False,
        description="torch.compile: the first step takes minutes, later ones may be faster. Needs a C++ compiler.",
    )
    seed: int = Field(default=42, ge=0, le=2**53, description="Of weights, split, order of samples, dropout.")
    tensorboard: bool = Field(
        default=False, description="TensorBoard event files in `tensorboard` of the job's checkpoint folder."
    )
    export: Export | None = None

    @property
    def loss_type(self) -> str:
        if self.loss is not None:
            return self.loss.type
        return "crossEntropy" if self.task == "classification" else "mse"

    @property
    def total_epochs(self) -> int | None:
        """None: as many as the budget takes, which the data will tell."""
        if self.budget is not None:
            return None
        return sum(stage.epochs for stage in self.stages) if self.stages else self.epochs or DEFAULT_EPOCHS

    @model_validator(mode="after")
    def _parts_agree(self) -> "Training":
        """The same as the CEL rules, for manifests that no API server has seen."""
        if (self.loss_type in CLASSIFICATION_LOSSES) != (self.task == "classification"):
            raise ValueError(
                "loss.type: crossEntropy, multiMargin and focal are for classification, mse, mae and huber "
                "for regression"
            )
        if sum(given is not None for given in (self.stages, self.budget, self.epochs)) > 1:
            raise ValueError("epochs: give one of epochs, stages and budget")
        if self.stages and self.batch_size is not None:
            raise ValueError("batchSize: stages have batch sizes of their own")
        return self

    @property
    def watched(self) -> Criterion:
        """What early stopping and a plateau look at."""
        if self.early_stopping is not None:
            return self.early_stopping.criterion
        return Criterion("validationLoss" if self.data.validation else "trainLoss")

    @property
    def best_by(self) -> Criterion | None:
        """What makes an epoch the best; None: without rows that are held back none is, unless one is asked for."""
        if self.selection is not None and self.selection.metric is not None:
            return Criterion(self.selection.metric, self.selection.mode)
        return self.watched if self.early_stopping or self.data.validation else None

    @property
    def keeps_best(self) -> bool:
        """Whether the finished model has the weights of the best epoch, not those of the last."""
        if self.selection is not None:
            return self.selection.epoch is None
        return self.best_by is not None and (self.early_stopping is None or self.early_stopping.restore_best)

    @model_validator(mode="after")
    def _metrics_fit(self) -> "Training":
        """The same as the CEL rules."""
        stopping, selection = self.early_stopping, self.selection
        if stopping is not None:
            self._require_metric("earlyStopping", stopping.metric)
        if selection is not None and selection.metric is not None:
            self._require_metric("selection", selection.metric)
        if selection is not None and stopping is not None and not stopping.restore_best:
            raise ValueError("earlyStopping.restoreBest: selection says which weights are kept: leave restoreBest out")
        return self

    def _require_metric(self, field: str, metric: Metric) -> None:
        if not metric.startswith("train") and self.data.validation is None:
            raise ValueError(f"{field}: a validation metric needs data.validation")
        if metric in CLASSIFICATION_METRICS and self.task != "classification":
            raise ValueError(f"{field}.metric: {metric} is a metric of classification")
        if metric in REGRESSION_METRICS and self.task != "regression":
            raise ValueError(f"{field}.metric: {metric} is a metric of regression")

    @model_validator(mode="after")
    def _schedule_fits(self) -> "Training":
        schedule, total = self.schedule, self.total_epochs
        if schedule is None:
            return self
        if schedule.warmup and total and schedule.warmup.epochs != "auto" and schedule.warmup.epochs >= total:
            raise ValueError("schedule.warmup.epochs: warm-up must be shorter than the training")
        if schedule.type != "cyclic" and (schedule.minimum or 0) > self.optimizer.learning_rate:
            raise ValueError("schedule.minimum: must not exceed optimizer.learningRate")
        return self

    @model_validator(mode="after")
    def _model_fits_data(self) -> "Training":
        shape, images = self.data.shape or [], self.data.format in ("idx", "imageFolder")
        if self.model.type in ("lstm", "gru") and self.data.sequence is None and len(shape) != 2:
            raise ValueError("model.type: lstm and gru need data.sequence, or data.shape [length, features]")
        if self.model.type == "cnn" and len(shape) != 3 and not images:
            raise ValueError("model.type: cnn needs images: data.shape [channels, height, width]")
        return self
