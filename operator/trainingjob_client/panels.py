"""What is drawn of a history and how it is called: the same in the terminal, in pictures and in tables. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One system of axes: of the first of its pairs that was measured, the training's line and the validation's."""

    title: str
    train: str
    validation: str = ""

    @property
    def metrics(self) -> list[str]:
        return [name for name in (self.train, self.validation) if name]


LOSS = Panel("Loss", "trainLoss", "validationLoss")
ACCURACY = Panel("Accuracy", "trainAccuracy", "validationAccuracy")
ERROR = Panel("Mean absolute error", "trainMae", "validationMae")
RATE = Panel("Learning rate", "learningRate")
_ALL = (LOSS, ACCURACY, ERROR, RATE)
_LOGARITHMIC_FROM = 30.0


def panels_for(measured: Sequence[str]) -> list[Panel]:
    """Those of which there is anything."""
    return [panel for panel in _ALL if any(name in measured for name in panel.metrics)]


def is_logarithmic(panel: Panel, values: Sequence[float]) -> bool:
    """Losses that span much would be a corner on a linear axis."""
    return panel is LOSS and bool(values) and min(values) > 0 and max(values) / min(values) > _LOGARITHMIC_FROM


def split_of(metric: str) -> str:
    """Which data a line is of."""
    return "validation" if metric.startswith("validation") else "train" if metric.startswith("train") else ""
