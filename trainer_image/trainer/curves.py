"""curves.png: losses, accuracy or error, learning rate, over the epochs of all attempts."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from trainer.checkpoint.files import replace
from trainingjob_api.progress import EpochMetrics, Progress, RunConfig

_TRAIN, _HELD_BACK, _BEST, _RATE, _INK, _GRID = "#3b6fb6", "#d9822b", "#2f8f5b", "#7a5195", "#30363d", "#e6e8eb"


def draw_curves(epochs: Sequence[EpochMetrics], run: RunConfig, progress: Progress, path: Path) -> None:
    """Writes the picture."""
    figure = Figure(figsize=(13, 4.2), layout="constrained", facecolor="white")
    loss, quality, rate = figure.subplots(1, 3)
    best = progress.best.epoch if progress.best else None
    _curve(loss, epochs, "Loss", lambda e: e.train_loss, lambda e: e.validation_loss, best)
    if run.recipe.task == "classification":
        _curve(quality, epochs, "Accuracy", lambda e: e.train_accuracy, lambda e: e.validation_accuracy, best)
        quality.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    else:
        _curve(quality, epochs, "Mean absolute error", lambda e: e.train_mae, lambda e: e.validation_mae, best)
    _learning_rate(rate, epochs)
    figure.suptitle(_title(run, progress), fontsize=12, color=_INK, x=0.01, ha="left")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=130)
    replace(path, picture.getvalue())


def _title(run: RunConfig, progress: Progress) -> str:
    test = progress.test
    parts = [f"{run.name}: {progress.epoch} epochs"]
    if test is not None:
        quality = (
            f"accuracy {test.accuracy:.1%}" if test.accuracy is not None else f"mean absolute error {test.mae:.4g}"
        )
        parts.append(f"test: loss {test.loss:.4g}, {quality}")
    return "   ·   ".join(parts)


Value = Callable[[EpochMetrics], float | None]


def _curve(
    axes: Axes, epochs: Sequence[EpochMetrics], title: str, train: Value, held_back: Value, best: int | None
) -> None:
    style(axes, title)
    for value, color, name in ((train, _TRAIN, "train"), (held_back, _HELD_BACK, "validation")):
        points = [(epoch.epoch, number) for epoch in epochs if (number := value(epoch)) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=color, linewidth=1.8, label=name, marker=_marker(points))
    if best is not None:
        axes.axvline(best, color=_BEST, linewidth=1.2, linestyle=(0, (4, 3)), label=f"best epoch: {best}")
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK)


def _learning_rate(axes: Axes, epochs: Sequence[EpochMetrics]) -> None:
    style(axes, "Learning rate")
    points = [(epoch.epoch, epoch.learning_rate) for epoch in epochs if epoch.learning_rate is not None]
    if points:
        axes.plot(*zip(*points, strict=True), color=_RATE, linewidth=1.8, marker=_marker(points))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.2g}"))
    axes.set_ylim(bottom=0)


def _marker(points: Sequence[object]) -> str | None:
    """A single epoch would be an invisible line."""
    return "o" if len(points) == 1 else None


def style(axes: Axes, title: str) -> None:
    """The look of every picture."""
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.set_xlabel("epoch", color=_INK, fontsize=9)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b7bcc2")
    axes.tick_params(colors=_INK, labelsize=9, length=3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
