"""`spec.training`: the recipe of the built-in trainer.

A field stands here once the trainer does what it says; until then the API server refuses it.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import Model, rule, rules

Column = Annotated[str, Field(min_length=1, max_length=256)]
FilePath = Annotated[str, Field(min_length=1, max_length=1024)]
# The API server compares a whole number with a whole minimum: 0 would pass a minimum of 0.001.
_ABOVE_ZERO = rules(rule("self > 0.0", "must be above 0"))
Metric = Literal["trainLoss", "validationLoss", "validationAccuracy"]


class Validation(Model):
    """Rows held back from training, to measure every epoch on. Exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra=rules(rule("has(self.fraction) != has(self.path)", "give exactly one of fraction and path"))
    )

    fraction: Annotated[float, Field(ge=0.001, le=0.9, json_schema_extra=_ABOVE_ZERO)] | None = Field(
        default=None,
        description="Share of the training rows, drawn by the seed: the same rows after every resume.",
    )
    path: FilePath | None = Field(default=None, description="A file of its own, with the same columns.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Validation":
        if (self.fraction is None) == (self.path is None):
            raise ValueError("give exactly one of fraction and path")
        return self


class Test(Model):
    """Rows that are looked at once, after training, with the best weights."""

    path: FilePath = Field(description="A file in a mounted volume, with the same columns as the training data.")


class Data(Model):
    """What is learned from: a table in a mounted volume."""

    path: FilePath = Field(
        description="A csv file (may be gzipped: .csv.gz) in a mounted volume; the first line names the columns."
    )
    features: list[Column] | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Names or globs (pixel_*) of the input columns. Default: every column but the target.",
    )
    target: Column = Field(description="The column to predict.")
    validation: Validation | None = Field(default=None, description="Default: nothing is held back.")
    test: Test | None = Field(default=None, description="Default: no final test.")
    normalize: Literal["none", "standard", "minMax"] = Field(
        default="standard", description="Fitted on the training rows only and saved with the model."
    )


class NetworkModel(Model):
    """The network."""

    type: Literal["mlp"] = Field(description="mlp: fully connected layers.")
    hidden_units: list[Annotated[int, Field(ge=1, le=65536)]] = Field(
        default=[64, 32], min_length=1, max_length=64, description="Width of each hidden layer."
    )
    dropout: float = Field(default=0.0, ge=0, le=0.95, description="After every hidden layer.")
    activation: Literal["relu", "leakyRelu", "elu", "gelu", "silu", "tanh", "sigmoid", "selu"] = "relu"


class Loss(Model):
    """What is minimised."""

    type: Literal["crossEntropy", "mse"]


class Optimizer(Model):
    """How the weights move."""

    type: Literal["adamw"] = "adamw"
    learning_rate: float = Field(default=0.001, ge=1e-12, le=100, json_schema_extra=_ABOVE_ZERO)
    weight_decay: float = Field(default=0.01, ge=0, le=10)


class Warmup(Model):
    """The learning rate rises linearly from startFactor times its value over the first epochs."""

    epochs: int = Field(ge=1, le=100_000)
    start_factor: float = Field(default=0.1, ge=0.000001, le=1, json_schema_extra=_ABOVE_ZERO)


class Schedule(Model):
    """How the learning rate changes; it is adjusted after every step."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.type == 'cosine' || !has(self.minimum)", "minimum belongs to type cosine", ".minimum")
        )
    )

    type: Literal["constant", "cosine"] = Field(
        description="constant, or cosine: half a cosine from the learning rate to minimum at the last epoch."
    )
    minimum: float | None = Field(default=None, ge=0, le=100, description="Default: 0.")
    warmup: Warmup | None = Field(default=None, description="In front of the schedule. Default: none.")

    @model_validator(mode="after")
    def _minimum_belongs_to_cosine(self) -> "Schedule":
        if self.type != "cosine" and self.minimum is not None:
            raise ValueError("minimum belongs to type cosine")
        return self


class EarlyStopping(Model):
    """Stops when the metric has not improved for a number of epochs."""

    metric: Metric = "validationLoss"
    patience: int = Field(default=10, ge=1, le=100_000, description="Epochs without improvement.")
    min_delta: float = Field(default=0.0, ge=0, le=1e9, description="What counts as improvement.")
    restore_best: bool = Field(default=True, description="End with the weights of the best epoch.")

    @property
    def mode(self) -> Literal["min", "max"]:
        return "max" if self.metric.endswith("Accuracy") else "min"


_TRAINING_RULES = rules(
    rule(
        "!has(self.loss) || (self.loss.type == 'crossEntropy') == (self.task == 'classification')",
        "crossEntropy is for classification, mse for regression",
        ".loss.type",
    ),
    rule(
        "!has(self.earlyStopping) || (has(self.earlyStopping.metric) && self.earlyStopping.metric == 'trainLoss')"
        " || has(self.data.validation)",
        "a validation metric needs data.validation",
        ".earlyStopping",
    ),
    rule(
        "!has(self.earlyStopping) || !has(self.earlyStopping.metric)"
        " || self.earlyStopping.metric != 'validationAccuracy' || self.task == 'classification'",
        "validationAccuracy is a metric of classification",
        ".earlyStopping.metric",
    ),
    rule(
        "!has(self.schedule) || !has(self.schedule.warmup)"
        " || self.schedule.warmup.epochs < (has(self.epochs) ? self.epochs : 100)",
        "warm-up must be shorter than the training (epochs, default 100)",
        ".schedule.warmup.epochs",
    ),
    rule(
        "!has(self.schedule) || !has(self.schedule.minimum) || self.schedule.minimum <="
        " (has(self.optimizer) && has(self.optimizer.learningRate) ? self.optimizer.learningRate : 0.001)",
        "minimum must not exceed optimizer.learningRate (default 0.001)",
        ".schedule.minimum",
    ),
)


class Training(Model):
    """The recipe of the built-in trainer."""

    model_config = ConfigDict(json_schema_extra=_TRAINING_RULES)

    task: Literal["classification", "regression"]
    epochs: int = Field(default=100, ge=1, le=1_000_000, description="May grow at any time, never shrink.")
    batch_size: int = Field(
        default=32, ge=1, le=1_000_000, description="Samples per optimizer step, over all ranks together."
    )
    data: Data
    model: NetworkModel
    loss: Loss | None = Field(default=None, description="Default: crossEntropy for classification, mse for regression.")
    optimizer: Optimizer = Optimizer()
    schedule: Schedule | None = Field(default=None, description="Default: constant.")
    early_stopping: EarlyStopping | None = Field(default=None, description="Default: train every epoch.")
    seed: int = Field(default=42, ge=0, le=2**53, description="Of weights, split, order of samples, dropout.")

    @property
    def loss_type(self) -> str:
        if self.loss is not None:
            return self.loss.type
        return "crossEntropy" if self.task == "classification" else "mse"

    @model_validator(mode="after")
    def _fields_agree(self) -> "Training":
        """The same as the CEL rules, for manifests that no API server has seen."""
        if (self.loss_type == "crossEntropy") != (self.task == "classification"):
            raise ValueError("loss.type: crossEntropy is for classification, mse for regression")
        stopping, schedule = self.early_stopping, self.schedule
        if stopping and stopping.metric != "trainLoss" and self.data.validation is None:
            raise ValueError("earlyStopping: a validation metric needs data.validation")
        if stopping and stopping.metric == "validationAccuracy" and self.task != "classification":
            raise ValueError("earlyStopping.metric: validationAccuracy is a metric of classification")
        if schedule and schedule.warmup and schedule.warmup.epochs >= self.epochs:
            raise ValueError("schedule.warmup.epochs: warm-up must be shorter than the training")
        if schedule and schedule.minimum and schedule.minimum > self.optimizer.learning_rate:
            raise ValueError("schedule.minimum: must not exceed optimizer.learningRate")
        return self


def identity(training: Training) -> dict[str, str]:
    """What makes a checkpoint belong to a recipe: field path -> digest of its value; equal means it can be continued.

    Digests, because whoever starts the trainer may translate the paths in its environment to where they really lie.
    """
    fields = {
        "task": training.task,
        "data": training.data.to_json_object(),
        "model": training.model.to_json_object(),
        "seed": training.seed,
        "loss": training.loss_type,
        "optimizer.type": training.optimizer.type,
    }
    leaves = {path: leaf for name, value in fields.items() for path, leaf in _leaves(name, value)}
    return {path: sha256(json.dumps(leaf).encode()).hexdigest()[:16] for path, leaf in leaves.items()}


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(f"{path}.{name}", inner)
