"""curves.png: losses, accuracy or error, learning rate, over the epochs of all attempts."""

from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from trainer.reporting.drawing import BEST, HELD_BACK, INK, RATE, TRAIN, new_figure, save, show_legend, style
from trainingjob_api.progress import EpochMetrics, Progress, RunConfig

Points = list[tuple[int, float]]
Value = Callable[[EpochMetrics], float | None]

_LOGARITHMIC_FROM = 30.0
"""Losses that span more than this would be a corner on a linear axis."""


def draw_curves(epochs: Sequence[EpochMetrics], run: RunConfig, progress: Progress, path: Path) -> None:
    """Writes the picture."""
    figure = new_figure(13, 4.2, _title(run, progress))
    loss, quality, rate = figure.subplots(1, 3)
    best = progress.best.epoch if progress.best else None
    style_epochs(loss, "Loss")
    points = _pair(loss, epochs, lambda e: e.train_loss, lambda e: e.validation_loss)
    _spread(loss, [value for _, value in points])
    if run.recipe.task == "classification":
        style_epochs(quality, "Accuracy")
        _pair(quality, epochs, lambda e: e.train_accuracy, lambda e: e.validation_accuracy)
        quality.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    else:
        _errors(quality, epochs)
    for axes in (loss, quality):
        _mark_best(axes, best)
        show_legend(axes)
    _learning_rate(rate, epochs)
    save(figure, path)


def _title(run: RunConfig, progress: Progress) -> str:
    test = progress.test
    parts = [f"{run.name}: {progress.epoch} {'epoch' if progress.epoch == 1 else 'epochs'}"]
    if test is not None:
        quality = (
            f"accuracy {test.accuracy:.1%}" if test.accuracy is not None else f"mean absolute error {test.mae:.4g}"
        )
        parts.append(f"test: loss {test.loss:.4g}, {quality}")
    return "   ·   ".join(parts)


def _errors(axes: Axes, epochs: Sequence[EpochMetrics]) -> None:
    """The root of the mean square beside the mean of the absolute: a gap between them means outliers."""
    style_epochs(axes, "Error, in units of the target")
    _pair(axes, epochs, _train_rmse, lambda e: e.validation_rmse, "RMSE")
    _pair(axes, epochs, lambda e: e.train_mae, lambda e: e.validation_mae, "MAE", linestyle=(0, (1, 1.2)))
    axes.set_ylim(bottom=0)


def _train_rmse(epoch: EpochMetrics) -> float | None:
    return None if epoch.train_mse is None else sqrt(epoch.train_mse)


def _pair(
    axes: Axes, epochs: Sequence[EpochMetrics], train: Value, held_back: Value, what: str = "", linestyle: Any = "-"
) -> Points:
    """One line for each of the two splits; returns their points."""
    drawn: Points = []
    for value, color, split in ((train, TRAIN, "train"), (held_back, HELD_BACK, "validation")):
        points = _points(epochs, value)
        drawn += points
        if points:
            name = f"{what}, {split}" if what else split
            _draw(axes, points, color=color, label=name, linestyle=linestyle)
    return drawn


def _points(epochs: Sequence[EpochMetrics], value: Value) -> Points:
    return [(epoch.epoch, number) for epoch in epochs if (number := value(epoch)) is not None]


def _draw(axes: Axes, points: Points, **look: Any) -> None:
    marker = "o" if len(points) == 1 else None  # a single epoch would be an invisible line
    axes.plot(*zip(*points, strict=True), linewidth=1.3 if len(points) > 300 else 1.8, marker=marker, **look)


def _spread(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis where a linear one would show nothing of the end."""
    if values and min(values) > 0 and max(values) / min(values) > _LOGARITHMIC_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _mark_best(axes: Axes, best: int | None) -> None:
    if best is not None:
        axes.axvline(best, color=BEST, linewidth=1.2, linestyle=(0, (4, 3)), label=f"best epoch: {best}")


def _learning_rate(axes: Axes, epochs: Sequence[EpochMetrics]) -> None:
    style_epochs(axes, "Learning rate")
    if points := _points(epochs, lambda epoch: epoch.learning_rate):
        _draw(axes, points, color=RATE)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.3g}"))
    axes.set_ylim(bottom=0)


def style_epochs(axes: Axes, title: str) -> None:
    """The look of what is drawn over epochs."""
    style(axes, title)
    axes.set_xlabel("epoch", color=INK, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
