"""How pictures look, and how they get to the disk whole. Imports matplotlib, which takes half a second."""

import io
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.checkpoint.files import replace

TRAIN, HELD_BACK, BEST, RATE, INK, GRID = "#3b6fb6", "#d9822b", "#2f8f5b", "#7a5195", "#30363d", "#e6e8eb"


def new_figure(width: float, height: float, title: str) -> Figure:
    """In inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=12, color=INK, x=0.01, ha="left", parse_math=False)
    return figure


def save(figure: Figure, path: Path) -> None:
    picture = io.BytesIO()
    with warnings.catch_warnings():
        # Of a name in letters that the font has not: they are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(picture, format="png", dpi=130)
    replace(path, picture.getvalue())


def style(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b7bcc2")
    axes.tick_params(colors=INK, labelsize=9, length=3)


def show_legend(axes: Axes, **where: object) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, labelcolor=INK, **where)
