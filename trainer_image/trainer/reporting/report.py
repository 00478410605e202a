"""report.json: everything that is known of a finished training, for programs and for people."""

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from pydantic.alias_generators import to_camel
from torch import Tensor

from trainer.data.classes import Label
from trainer.data.scaling import Floats
from trainer.export import DEFAULT_FOLDER
from trainer.learning.class_counts import ClassCounts
from trainer.learning.exactness import Circumstances
from trainer.learning.measures import Measures
from trainer.learning.roc import Curve
from trainingjob_api.progress import EpochMetrics, Outcome, Progress, RunConfig

_ROC_POINTS = 200
_ROC_CURVES = 20
"""Beyond so many classes only their mean curve is written."""


@dataclass(frozen=True)
class Evaluation:
    """The finished model on rows that it was not trained on: on the test rows, without any on those of validation."""

    split: Literal["test", "validation"]
    samples: int
    measures: Measures
    classes: "ClassReport | None" = None


@dataclass(frozen=True)
class RocCurve:
    """label: the class that is told from the rest; None: the mean over all classes."""

    label: Label | None
    area: float
    false_positive_rate: list[float]
    true_positive_rate: list[float]


@dataclass(frozen=True)
class ClassReport:
    """confusion: actual classes in rows, predicted ones in columns; None beyond DETAIL_CLASSES classes."""

    labels: tuple[Label, ...]
    table: list[dict[str, Any]]
    confusion: list[list[int]] | None
    roc: list[RocCurve]
    """Every class that has one, and their mean."""

    @classmethod
    def of(cls, counts: ClassCounts, labels: tuple[Label, ...]) -> "ClassReport":
        confusion = counts.confusion.long().tolist() if counts.confusion is not None else None
        return cls(labels, _table(counts, labels), confusion, _roc_curves(counts, labels))

    def as_written(self) -> dict[str, Any]:
        curves = self.roc if len(self.roc) <= _ROC_CURVES + 1 else [curve for curve in self.roc if curve.label is None]
        return {
            "classes": self.table,
            "confusion": self.confusion
            and {"rows": "actual", "columns": "predicted", "labels": self.labels, "counts": self.confusion},
            "roc": [
                {
                    "class": curve.label,  # null: the mean of all
                    "area": curve.area,
                    "falsePositiveRate": curve.false_positive_rate,
                    "truePositiveRate": curve.true_positive_rate,
                }
                for curve in curves
            ],
        }


def _table(counts: ClassCounts, labels: Sequence[Label]) -> list[dict[str, Any]]:
    curves = counts.curve_of
    each = zip(labels, counts.precision, counts.recall, counts.f1, counts.actual, counts.predicted, strict=True)
    return [
        {
            "class": label,
            "precision": _rounded(precision),
            "recall": _rounded(recall),
            "f1": _rounded(f1),
            **({"rocAuc": _rounded(curves[number].area or 0.0)} if number in curves else {}),
            "samples": int(actual),
            "predicted": int(predicted),
        }
        for number, (label, precision, recall, f1, actual, predicted) in enumerate(each)
    ]


def _roc_curves(counts: ClassCounts, labels: Sequence[Label]) -> list[RocCurve]:
    points = {number: (curve.area or 0.0, *_points(curve)) for number, curve in counts.curve_of.items()}
    curves = [_curve(labels[number], *each) for number, each in points.items()]
    if len(curves) < 2:
        return curves
    assert counts.roc_auc is not None
    grid = np.linspace(0, 1, 1001)
    mean = np.mean([np.interp(grid, false, true) for _, false, true in points.values()], axis=0)
    return [*curves, _curve(None, counts.roc_auc, np.append(0, grid), np.append(0, mean))]


def _points(curve: Curve) -> tuple[Floats, Floats]:
    false, true = curve.rates()
    return false.numpy(), true.numpy()


def _curve(label: Label | None, area: float, false: Floats, true: Floats) -> RocCurve:
    """Of all points those that are evenly far from each other along the curve, its ends included."""
    along = false + true
    chosen = np.unique(np.searchsorted(along, np.linspace(0, along[-1], _ROC_POINTS)))
    return RocCurve(label, _rounded(area), false[chosen].round(6).tolist(), true[chosen].round(6).tolist())


def _rounded(value: Tensor | float) -> float:
    return round(float(value), 6)


def report(
    run: RunConfig,
    progress: Progress,
    epochs: Sequence[EpochMetrics],
    circumstances: Circumstances,
    evaluation: Evaluation | None,
    outcome: Outcome,
    message: str,
) -> dict[str, Any]:
    """The whole document; numbers as in /progress, in full precision."""
    recipe = run.recipe
    model = recipe.export.path if recipe.export and recipe.export.path else DEFAULT_FOLDER
    return {
        "job": f"{run.namespace}/{run.name}",
        "uid": run.uid,
        "attempt": run.attempt,
        "outcome": outcome,
        "message": message,
        "epochs": progress.epoch,
        "steps": progress.step,
        "durations": _durations(epochs),
        "environment": _environment(circumstances),
        "last": progress.latest and progress.latest.to_json_object(),
        "best": progress.best and progress.best.to_json_object(),
        "test": progress.test and progress.test.to_json_object(),
        "evaluation": evaluation and _evaluation(evaluation),
        "recipe": recipe.to_json_object(),
        "files": {
            "history.jsonl": "one line for every epoch",
            "curves.png": "losses, accuracy or errors, learning rate",
            model: "the finished model",
            **({"report.png": "confusion matrix and ROC curves"} if _has_picture(evaluation) else {}),
            **({"tensorboard": "event files for TensorBoard"} if recipe.tensorboard else {}),
        },
        "model": {
            "folder": model,
            "load": f"from trainer.export import load; predict = load({model!r}); predict([[...], ...])",
        },
    }


def _has_picture(evaluation: Evaluation | None) -> bool:
    return bool(evaluation and evaluation.classes and evaluation.classes.confusion)


def _durations(epochs: Sequence[EpochMetrics]) -> dict[str, float]:
    """Of all attempts; what an attempt did after its last checkpoint and was lost is not in them."""
    seconds = [epoch.seconds_per_epoch for epoch in epochs if epoch.seconds_per_epoch is not None]
    return {"epochsSeconds": round(sum(seconds), 3), "longestEpochSeconds": round(max(seconds, default=0.0), 3)}


def _environment(circumstances: Circumstances) -> dict[str, Any]:
    facts = circumstances.to_json_object()
    shown = ("torchVersion", "device", "machine", "threads", "worldSize")
    return {"python": platform.python_version(), **{name: facts[name] for name in shown}}


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    measures = {name: value for name, value in asdict(evaluation.measures).items() if value is not None}
    if evaluation.measures.accuracy is not None:
        measures["error_rate"] = 1 - evaluation.measures.accuracy
    return {
        "rows": evaluation.split,
        "samples": evaluation.samples,
        **{to_camel(name): value for name, value in measures.items()},
        **(evaluation.classes.as_written() if evaluation.classes else {}),
    }


def as_text(document: dict[str, Any]) -> str:
    """JSON for people as well: lists of numbers stay on one line."""
    text = json.dumps(document, indent=1)
    return re.sub(r'\[\n\s*([^\[\]{}"]*?)\n\s*\]', lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"
