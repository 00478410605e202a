"""Histories as a picture by matplotlib, which takes half a second to import."""

import io
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from trainingjob_client.history import JobHistory, names
from trainingjob_client.panels import ACCURACY, LOSS, Panel, is_logarithmic, panels_for, split_of

_TRAIN, _HELD_BACK, _BEST, _RATE, _INK, _GRID = "#3b6fb6", "#d9822b", "#2f8f5b", "#7a5195", "#30363d", "#e6e8eb"
_COLOURS = ("#3b6fb6", "#d9822b", "#2f8f5b", "#7a5195", "#c0392b", "#16a3a3", "#8c6d46", "#d36ba6")


class Curves(Figure):
    """A figure that a notebook shows by itself."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=110)
        return picture.getvalue()


def curves(histories: Sequence[JobHistory]) -> Figure:
    """Of one job, or of several over each other."""
    panels = panels_for(names(histories)) or [LOSS]
    columns = min(3, len(panels))
    rows = ceil(len(panels) / columns)
    figure = Curves(figsize=(4.6 * columns, 3.9 * rows), layout="constrained", facecolor="white")
    title = "   ·   ".join(f"{history.name}: {_epochs(history)}" for history in histories)
    figure.suptitle(title, fontsize=12, color=_INK, x=0.01, ha="left", parse_math=False)
    for axes, panel in zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=False):
        _draw(axes, panel, histories)
    for axes in figure.axes[len(panels) :]:
        axes.set_axis_off()
    return figure


def save(figure: Figure, path: Path) -> None:
    """The ending of the path says which kind: png, svg or pdf."""
    figure.savefig(path, dpi=130)


def _epochs(history: JobHistory) -> str:
    if not history.rows:
        return "no epoch"
    last = history.rows[-1].epoch
    return f"{last} epoch" if last == 1 else f"{last} epochs"


def _draw(axes: Any, panel: Panel, histories: Sequence[JobHistory]) -> None:
    _style(axes, panel)
    values: list[float] = []
    for place, history in enumerate(histories):
        for metric in panel.metrics:
            epochs, numbers = history.series(metric)
            if epochs:
                look = _look(metric, None if len(histories) == 1 else place, history.name)
                axes.plot(epochs, numbers, marker="o" if len(epochs) == 1 else None, **look)
                values += numbers
    if len(histories) == 1:
        _mark(axes, histories[0])
    if is_logarithmic(panel, values):
        axes.set_yscale("log")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK)


def _look(metric: str, place: int | None, name: str) -> dict[str, Any]:
    """Alone the two splits have their colours; beside others the jobs have, and training is dashed."""
    split = split_of(metric)
    if place is None:
        colour = {"train": _TRAIN, "validation": _HELD_BACK}.get(split, _RATE)
        return {"color": colour, "linewidth": 1.6, "label": split or None}
    dashed = split == "train"
    label = None if dashed else name
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linewidth": 1.0 if dashed else 1.7,
        "linestyle": (0, (3, 2)) if dashed else "-",
        "label": label,
    }


def _mark(axes: Any, history: JobHistory) -> None:
    """The best epoch, and where attempts after the first began."""
    for start in history.attempts[1:]:
        axes.axvline(start.first_epoch, color="#9aa3ad", linewidth=1.0, linestyle=(0, (1, 2)))
    if history.best is not None:
        axes.axvline(history.best, color=_BEST, linewidth=1.2, linestyle=(0, (4, 3)), label=f"best: {history.best}")


def _style(axes: Any, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left", fontsize=11, color=_INK)
    axes.set_xlabel("epoch", color=_INK, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b7bcc2")
    axes.tick_params(colors=_INK, labelsize=9, length=3)
    if panel is ACCURACY:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
