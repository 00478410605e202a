"""`spec.training`, section by section."""

from trainingjob_api.spec.training.data import Augmentation, Data, Sequence, Synthetic, Test, Validation
from trainingjob_api.spec.training.identity import identity
from trainingjob_api.spec.training.model import NetworkModel
from trainingjob_api.spec.training.optimization import (
    BatchSize,
    Budget,
    Gradient,
    Loss,
    Optimizer,
    Regularization,
    Schedule,
    Stage,
    Warmup,
)
from trainingjob_api.spec.training.recipe import DEFAULT_BATCH_SIZE, DEFAULT_EPOCHS, Export, Training, epochs_of
from trainingjob_api.spec.training.stopping import Criterion, EarlyStopping, Metric, Selection

__all__ = [
    "DEFAULT_BATCH_SIZE",
    "DEFAULT_EPOCHS",
    "Augmentation",
    "BatchSize",
    "Budget",
    "Criterion",
    "Data",
    "EarlyStopping",
    "Export",
    "Gradient",
    "Loss",
    "Metric",
    "NetworkModel",
    "Optimizer",
    "Regularization",
    "Schedule",
    "Selection",
    "Sequence",
    "Stage",
    "Synthetic",
    "Test",
    "Training",
    "Validation",
    "Warmup",
    "epochs_of",
    "identity",
]
