"""comparison.png: the curves of several trainings in one picture."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from trainer.reporting.curves import style_epochs
from trainer.reporting.drawing import save
from trainingjob_api.progress import EpochMetrics

Curves = Mapping[str, Sequence[EpochMetrics]]


def draw_comparison(curves: Curves, task: str, path: Path) -> None:
    """Writes the picture: loss, accuracy or error, learning rate; held-back rows where there are any."""
    figure = Figure(figsize=(14, 4.6), layout="constrained", facecolor="white")
    loss, quality, rate = figure.subplots(1, 3)
    _draw(loss, curves, "loss", lambda e: e.validation_loss, lambda e: e.train_loss)
    if task == "classification":
        _draw(quality, curves, "accuracy", lambda e: e.validation_accuracy, lambda e: e.train_accuracy)
        quality.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    else:
        _draw(quality, curves, "mean absolute error", lambda e: e.validation_mae, lambda e: e.train_mae)
    _draw(rate, curves, "learning rate", lambda e: None, lambda e: e.learning_rate)
    rate.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    handles, names = loss.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(5, len(names)), frameon=False, fontsize=9)
    save(figure, path)


Value = Callable[[EpochMetrics], float | None]


def _draw(axes: Axes, curves: Curves, title: str, held_back: Value, train: Value) -> None:
    has_held_back = any(held_back(epoch) is not None for epochs in curves.values() for epoch in epochs)
    value = held_back if has_held_back else train
    style_epochs(
        axes, f"{'Validation' if has_held_back else 'Train'} {title}" if title != "learning rate" else "Learning rate"
    )
    colors = colormaps["tab10" if len(curves) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    for color, (name, epochs) in zip(cycle(colors), curves.items(), strict=False):
        points = [(epoch.epoch, number) for epoch in epochs if (number := value(epoch)) is not None]
        marker = "o" if len(points) == 1 else None
        axes.plot(*(zip(*points, strict=True) if points else ((), ())), color=color, label=name, marker=marker)
