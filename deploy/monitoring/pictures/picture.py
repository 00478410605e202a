"""One board as one picture: every panel at its place on the grid."""

import textwrap
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from pictures import curves, look, values
from pictures.board import Board, Panel
from pictures.view import View

WIDTH = 16.0  # inches
COLUMNS = 24
_UNIT = 0.36  # inches that a row of the grid is high
_HEADER = 0.55
_GAP = 0.05
_DPI = 100
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.facecolor": look.CARD,
    "axes.edgecolor": look.EDGE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.labelcolor": look.FAINT,
    "grid.color": look.GRID,
    "grid.linewidth": 0.6,
    "text.color": look.TEXT,
    "xtick.color": look.FAINT,
    "ytick.color": look.FAINT,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def draw(board: Board, view: View, path: Path) -> None:
    """Write a PNG."""
    with mpl.rc_context(_STYLE):
        rows = max(top + height for _, top, _, height in (panel.place for panel in board.panels))
        figure = Figure(figsize=(WIDTH, rows * _UNIT + _HEADER + 0.1), dpi=_DPI, facecolor=look.CANVAS)
        marks = _annotations(board, view)
        _heading(figure, board, view)
        _key(figure, marks)
        for panel in board.panels:
            _Frame(figure, panel).fill(view, marks)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


def _heading(figure: Figure, board: Board, view: View) -> None:
    top = 1 - 0.5 * _HEADER / figure.get_figheight()
    figure.text(0.008, top, board.title, fontsize=14, weight="bold", va="center")
    chosen = [f"{name}: {view.values[name].replace('.*', 'All')}" for name in _variables(board) if name in view.values]
    figure.text(0.25, top, "    ".join(chosen), fontsize=9, color=look.FAINT, va="center")
    period = " to ".join(f"{datetime.fromtimestamp(at):%H:%M:%S}" for at in (view.range.start, view.range.end))  # noqa: DTZ006
    figure.text(0.992, top, period, fontsize=9, color=look.FAINT, va="center", ha="right")


def _key(figure: Figure, marks: list["Mark"]) -> None:
    """What the vertical lines mean."""
    top, right = 1 - 0.5 * _HEADER / figure.get_figheight(), 0.87
    for name, color in sorted({(name, color) for name, color, _ in marks}, reverse=True):
        right -= 0.012 + 0.0058 * len(name)
        figure.text(right, top, f"┊ {name}", fontsize=9, color=color, va="center")


def _variables(board: Board) -> list[str]:
    return [each["name"] for each in board.json["templating"]["list"] if each["name"] != "datasource"]


Mark = tuple[str, str, float]
"""Name, colour, moment."""


def _annotations(board: Board, view: View) -> list[Mark]:
    """The beginning of each stretch of time in which an annotation's query has a value."""
    marks: list[Mark] = []
    for name, expr, color in board.annotations:
        for series in view.over(expr):
            before = 0.0
            for moment, _ in series.points:
                if moment - before > 1.5 * view.range.step:
                    marks.append((name, look.NAMED.get(color, color), moment))
                before = moment
    return marks


Draw = Callable[[Axes, Panel, View], curves.Legend | None]


def _if_filled(axes: Axes, found: curves.Legend | None) -> Axes | None:
    """Axes in which nothing was found are removed."""
    if found is not None:
        return axes
    axes.remove()
    return None


class _Frame:
    """The card of one panel, in inches from the figure's upper left corner."""

    def __init__(self, figure: Figure, panel: Panel) -> None:
        self._figure, self._panel = figure, panel
        left, top, width, height = panel.place
        self._left, self._width = left * WIDTH / COLUMNS + _GAP, width * WIDTH / COLUMNS - 2 * _GAP
        self._top, self._height = top * _UNIT + _HEADER + _GAP, height * _UNIT - 2 * _GAP

    def fill(self, view: View, marks: list[Mark]) -> None:
        if self._panel.type == "row":
            self._text(self._panel.title, 0.02, self._height / 2, size=10.5, weight="bold")
            return
        self._card()
        self._text(self._panel.title, 0.1, 0.17, size=8.5)
        draw = {
            "timeseries": self._timeseries,
            "state-timeline": self._timeline,
            "xychart": self._xychart,
            "stat": self._stat,
            "bargauge": self._bars,
            "table": self._table,
        }[self._panel.type]
        axes = draw(view)
        if axes is None:
            self._empty()
        elif self._panel.type == "timeseries":
            for _, color, moment in marks:
                axes.axvline(curves.moment(moment), color=color, linewidth=0.9, linestyle=":")

    def _timeseries(self, view: View) -> Axes | None:
        return self._with_legend(curves.timeseries, view, bottom=0.28)

    def _xychart(self, view: View) -> Axes | None:
        return self._with_legend(curves.xychart, view, bottom=0.42)

    def _timeline(self, view: View) -> Axes | None:
        axes = self._axes(0.75, 0.34, 0.15, 0.25)
        found = curves.timeline(axes, self._panel, view)
        longest = max(len(label.get_text()) for label in axes.get_yticklabels())
        axes.set_position(self._place(0.2 + 0.062 * longest, 0.34, 0.15, 0.25))
        return _if_filled(axes, found)

    def _stat(self, view: View) -> Axes | None:
        axes = self._axes(0.1, 0.3, 0.1, 0.08)
        return _if_filled(axes, values.stat(axes, self._panel, view))

    def _bars(self, view: View) -> Axes | None:
        axes = self._axes(0.12, 0.36, 0.12, 0.1)
        return _if_filled(axes, values.bargauge(axes, self._panel, view))

    def _table(self, view: View) -> Axes | None:
        axes = self._axes(0.12, 0.36, 0.12, 0.06)
        return _if_filled(axes, values.table(axes, self._panel, view, self._height - 0.42))

    def _with_legend(self, draw: Draw, view: View, bottom: float) -> Axes | None:
        axes = self._axes(0.55, 0.36, 0.12, bottom + 0.2)
        found = draw(axes, self._panel, view)
        lines = self._legend(found or [])
        axes.set_position(self._place(0.55, 0.36, 0.12, bottom + 0.17 * lines))
        return _if_filled(axes, found)

    def _legend(self, legend: curves.Legend) -> int:
        """Names below the axes, in as many lines as they need, three at most; how many."""
        lines: list[list[tuple[float, str, str]]] = [[]]
        at = 0.12
        for name, color in legend:
            needed = 0.3 + 0.062 * len(name)
            if at + needed > self._width and lines[-1]:
                lines.append([])
                at = 0.12
            lines[-1].append((at, name, color))
            at += needed
        shown = lines[:3]
        for index, line in enumerate(reversed(shown)):
            for left, name, color in line:
                y = self._height - 0.12 - 0.17 * index
                self._text("━", left, y, size=8, color=color)
                self._text(name, left + 0.16, y, size=7, color=look.TEXT)
        return len(shown)

    def _empty(self) -> None:
        said = textwrap.fill(str(self._panel.defaults.get("noValue", "No data")), max(12, int(self._width * 11)))
        x, y = self._width / 2, self._height / 2 + 0.08
        self._text(said, x, y, size=8.5, color=look.FAINT, ha="center")

    def _card(self) -> None:
        left, bottom, width, height = self._place(0, 0, 0, 0)
        box = FancyBboxPatch(
            (left, bottom),
            width,
            height,
            boxstyle="square,pad=0",
            facecolor=look.CARD,
            edgecolor=look.EDGE,
            linewidth=0.8,
            transform=self._figure.transFigure,
            zorder=-1,
        )
        self._figure.add_artist(box)

    def _axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        return self._figure.add_axes(self._place(left, top, right, bottom))

    def _place(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        """Without margins in inches, as fractions of the figure."""
        height = self._figure.get_figheight()
        width_left, height_left = self._width - left - right, self._height - top - bottom
        below = height - self._top - self._height + bottom
        return (self._left + left) / WIDTH, below / height, width_left / WIDTH, height_left / height

    def _text(self, text: str, x: float, y: float, size: float, color: str = look.TEXT, **more: Any) -> None:
        height = self._figure.get_figheight()
        at = (self._left + x) / WIDTH, 1 - (self._top + y) / height
        self._figure.text(*at, text, fontsize=size, color=color, **{"va": "center", **more})
