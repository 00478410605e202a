"""What is reported about rows: averages, in the units of the target, made once from sums over all of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measures:
    """None: not of this task, not of this split, or not defined for these rows."""

    loss: float
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    roc_auc: float | None = None
    mae: float | None = None
    mse: float | None = None
    rmse: float | None = None
    r2: float | None = None
