"""report.png of a classification: which classes are taken for which, and the ROC curves."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from trainer.data.scaling import Floats
from trainer.reporting.drawing import BEST, HELD_BACK, INK, RATE, TRAIN, new_figure, save, show_legend, style
from trainer.reporting.report import ClassReport, RocCurve

Counts = NDArray[np.int64]

_COLORS = (TRAIN, HELD_BACK, BEST, RATE, "#c0504d", "#4bacc6", "#8c6d31", "#d6619f", "#7f7f7f", "#17375e")
_NUMBERED_CLASSES, _NAMED_CLASSES, _NAME_LENGTH = 15, 40, 20


def draw_report(report: ClassReport, title: str, path: Path) -> None:
    """Needs a report with a confusion matrix."""
    figure = new_figure(13, 6, title)
    confusion, roc = figure.subplots(1, 2)
    _confusion(figure, confusion, report)
    _roc(roc, report)
    save(figure, path)


def _confusion(figure: Figure, axes: Axes, report: ClassReport) -> None:
    assert report.confusion is not None
    style(axes, "Confusion matrix: share of each actual class")
    counts = np.array(report.confusion)
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)  # a class that does not occur stays blank
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    axes.grid(visible=False)
    axes.set_xlabel("predicted", color=INK, fontsize=9)
    axes.set_ylabel("actual", color=INK, fontsize=9)
    _name_classes(axes, report.labels)
    if len(counts) <= _NUMBERED_CLASSES:
        _write_counts(axes, counts, shares)
    bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.02, format=PercentFormatter(1.0))
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=8, length=0)


def _name_classes(axes: Axes, labels: Sequence[object]) -> None:
    every = -(-len(labels) // _NAMED_CLASSES)
    places, names = range(0, len(labels), every), [_shortened(label) for label in labels[::every]]
    size = 9 if len(names) <= 12 else 7 if len(names) <= 25 else 5.5
    axes.set_yticks(places, names, fontsize=size)
    axes.set_xticks(places, names, fontsize=size)
    if len(names) > 12:
        axes.tick_params(axis="x", rotation=90)
    elif sum(map(len, names)) > 40:
        for name in axes.get_xticklabels():
            name.set(rotation=40, ha="right", rotation_mode="anchor")


def _write_counts(axes: Axes, counts: Counts, shares: Floats) -> None:
    size = 10 if len(counts) <= 5 else 8 if len(counts) <= 10 else 6.5
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.55 else INK if counts[row, column] else "#a9b0b7"
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=size, color=color)


def _roc(axes: Axes, report: ClassReport) -> None:
    style(
        axes, "ROC curves, with the area under each" if report.roc else "ROC curve: not defined for rows of one class"
    )
    axes.set_aspect("equal")
    axes.set_xlabel("false positive rate", color=INK, fontsize=9)
    axes.set_ylabel("true positive rate", color=INK, fontsize=9)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.plot([0, 1], [0, 1], color="#b7bcc2", linewidth=1, linestyle=(0, (4, 3)))
    named = len(report.roc) <= len(_COLORS) + 1
    for curve, color in zip(report.roc, cycle(_COLORS if named else [TRAIN]), strict=False):
        _draw_curve(axes, curve, color, named)
    show_legend(axes, loc="lower right")


def _draw_curve(axes: Axes, curve: RocCurve, color: str, named: bool) -> None:
    points = (curve.false_positive_rate, curve.true_positive_rate)
    if curve.label is None:
        axes.plot(*points, color=INK, linewidth=2.2, label=f"mean of all classes: {curve.area:.3f}", zorder=3)
    elif named:
        axes.plot(*points, color=color, linewidth=1.4, label=f"{_shortened(curve.label)}: {curve.area:.3f}")
    else:
        axes.plot(*points, color=color, linewidth=0.8, alpha=0.3)


def _shortened(label: object) -> str:
    """Without the middle: names often differ at their ends. A dollar sign would begin a formula."""
    text, half = " ".join(str(label).split()), _NAME_LENGTH // 2
    text = text if len(text) <= _NAME_LENGTH else f"{text[:half]}…{text[-half + 1 :]}"
    return text.replace("$", r"\$")
