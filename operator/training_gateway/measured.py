"""The numbers of an epoch, as the API calls them. Pure."""

from typing import Any

from training_gateway.words import snake
from trainingjob_api.progress import EpochMetrics, TestMetrics

Numbers = dict[str, Any]
_ALWAYS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "time_per_epoch")
_OTHERWISE_CALLED = {"seconds_per_epoch": "time_per_epoch"}


def api_name(name: str) -> str:
    """validationLoss or validation_loss -> val_loss."""
    plain = snake(name)
    return _OTHERWISE_CALLED.get(plain) or (
        f"val_{plain.removeprefix('validation_')}" if plain.startswith("validation_") else plain
    )


def epoch_of(metrics: EpochMetrics) -> Numbers:
    """The seven numbers that are always there, null if not measured, then whatever else was."""
    measured = metrics.model_dump(exclude_none=True, exclude={"extra"})
    numbers = {api_name(name): value for name, value in measured.items()}
    return {**dict.fromkeys(_ALWAYS), **numbers, **(metrics.extra or {})}


def best_of(metrics: EpochMetrics | None) -> Numbers:
    """Of the best epoch: on the rows that were held back, or else on those of training."""
    if metrics is None:
        return {"loss": None, "accuracy": None}
    loss, accuracy = metrics.validation_loss, metrics.validation_accuracy
    if loss is None:
        loss, accuracy = metrics.train_loss, metrics.train_accuracy
    mae = metrics.validation_mae if metrics.validation_mae is not None else metrics.train_mae
    return {"loss": loss, "accuracy": accuracy, "epoch": metrics.epoch, **({} if mae is None else {"mae": mae})}


def test_of(metrics: TestMetrics | None) -> Numbers | None:
    return None if metrics is None else metrics.model_dump(exclude_none=True)
