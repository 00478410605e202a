"""Panels with axes: curves over time, lanes, and curves over something else than the clock."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

import matplotlib.dates as dates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from pictures import look
from pictures.board import Panel
from pictures.prometheus import Series
from pictures.units import size, written
from pictures.view import Shown, View

Legend = list[tuple[str, str]]
"""Names and colours."""


def timeseries(axes: Axes, panel: Panel, view: View) -> Legend | None:
    """Lines, or areas on top of each other; None when there is nothing to show."""
    shown = view.curves(panel)
    if not shown:
        return None
    _over_time(axes, view)
    colors = [look.color(index, panel.override(each.name)) for index, each in enumerate(shown)]
    custom = panel.defaults.get("custom", {})
    if custom.get("stacking", {}).get("mode") == "normal":
        _stacked(axes, shown, colors, view)
    else:
        for each, color in zip(shown, colors, strict=True):
            _line(axes, panel, each, color, view)
    _numbers(axes, panel)
    return _once([(each.name, color) for each, color in zip(shown, colors, strict=True)])


def _line(axes: Axes, panel: Panel, each: Shown, color: str, view: View) -> None:
    is_dashed = panel.override(each.name).get("custom.lineStyle", {}).get("fill") == "dash"
    times, values = view.with_gaps(each.series)
    axes.plot(_moments(times), values, color=color, linewidth=1.3, linestyle="--" if is_dashed else "-")
    for time, value, alone in _alone(times, values):
        if alone:
            axes.plot(_moments([time]), [value], ".", color=color, markersize=3)


def _alone(times: Sequence[float], values: Sequence[float]) -> list[tuple[float, float, bool]]:
    """Points without a neighbour, which no line would show."""
    padded = [math.nan, *values, math.nan]
    return [
        (time, value, not math.isnan(value) and math.isnan(padded[index]) and math.isnan(padded[index + 2]))
        for index, (time, value) in enumerate(zip(times, values, strict=True))
    ]


def _stacked(axes: Axes, shown: Sequence[Shown], colors: Sequence[str], view: View) -> None:
    grid = np.arange(view.range.start, view.range.end + view.range.step / 2, view.range.step)
    below = np.zeros(len(grid))
    for each, color in zip(shown, colors, strict=True):
        at = {round((time - view.range.start) / view.range.step): value for time, value in each.series.points}
        height = np.array([at.get(index, 0.0) for index in range(len(grid))])
        there = np.array([index in at for index in range(len(grid))])
        top = below + np.nan_to_num(height)
        moments = _moments(grid)
        axes.fill_between(moments, below, top, color=color, alpha=0.45, linewidth=0)
        axes.plot(moments, np.where(there, top, math.nan), color=color, linewidth=1.2)
        below = top


def timeline(axes: Axes, panel: Panel, view: View) -> Legend | None:
    """A lane for each series, filled while it is there."""
    shown = view.curves(panel)
    if not shown:
        return None
    _over_time(axes, view)
    axes.grid(False)
    for lane, each in enumerate(reversed(shown)):
        color = look.color(len(shown) - 1 - lane, panel.override(each.name))
        spans = [(start, end + view.range.step - start) for start, end in _spans(each.series, view.range.step)]
        at = [(moment(start), length / 86400) for start, length in spans]
        axes.broken_barh(at, (lane - 0.38, 0.76), color=color, alpha=0.85, linewidth=0)
    axes.set_yticks(range(len(shown)), [each.name for each in reversed(shown)])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    return []


def _spans(series: Series, step: float) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    for time, _ in series.points:
        if spans and time - spans[-1][1] <= 1.5 * step:
            spans[-1] = (spans[-1][0], time)
        else:
            spans.append((time, time))
    return spans


def xychart(axes: Axes, panel: Panel, view: View) -> Legend | None:
    """The last y for each x: queries are joined by their labels and the moment."""
    names, axis_of = _renamed(panel), _axes_of(panel)
    exprs = {reference: expr for reference, expr, _ in panel.queries}
    found = [(x, y, series) for x, y in axis_of for series in view.over(exprs[_reference(y)])]
    over = {
        (x, _identity(series)): dict(series.points) for x, _ in axis_of for series in view.over(exprs[_reference(x)])
    }
    several = len({_identity(series) for *_, series in found}) > 1
    legend: Legend = []
    for index, (x, y, series) in enumerate(found):
        name = names.get(y, y)
        points = _last_of_each(over.get((x, _identity(series)), {}), series)
        if not points:
            continue
        label = "/".join(_identity(series)) if several or len(axis_of) == 1 else name
        color = look.color(index, panel.override(name))
        only_marks = panel.override(name).get("custom.show") == "points"
        xs, heights = zip(*points, strict=True)
        size_of_mark, line = (5.0, "none") if only_marks else (2.2, "-")
        axes.plot(xs, heights, linestyle=line, marker="o", markersize=size_of_mark, color=color, linewidth=1.2)
        legend.append((label, color))
    if not legend:
        return None
    _numbers(axes, panel)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(names.get("Value #A", ""), color=look.FAINT, fontsize=7, labelpad=2)
    return _once(legend)


def _axes_of(panel: Panel) -> list[tuple[str, str]]:
    """The fields that each series has as x and y."""
    series = panel.json["options"]["series"]
    return [(each["x"]["matcher"]["options"], each["y"]["matcher"]["options"]) for each in series]


def _reference(field: str) -> str:
    """Value #B (lastNotNull) -> B."""
    return field.split("#")[1][0]


def _identity(series: Series) -> tuple[str, ...]:
    return tuple(series.labels.get(name, "") for name in ("training_namespace", "training_name"))


def _last_of_each(x_at: dict[float, float], series: Series) -> list[tuple[float, float]]:
    last = {x_at[time]: value for time, value in series.points if time in x_at}
    return sorted(last.items())


def _renamed(panel: Panel) -> dict[str, str]:
    organizing = [each for each in panel.json.get("transformations", []) if each["id"] == "organize"]
    return {key: value for each in organizing for key, value in each["options"]["renameByName"].items()}


def _over_time(axes: Axes, view: View) -> None:
    axes.set_xlim(moment(view.range.start), moment(view.range.end))
    locator = dates.AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.DateFormatter("%H:%M" if view.range.end - view.range.start > 240 else "%H:%M:%S")
    )


def _numbers(axes: Axes, panel: Panel) -> None:
    if panel.defaults.get("custom", {}).get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, panel.unit)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        return
    low, high = panel.defaults.get("min"), panel.defaults.get("max")
    if low is not None:
        largest = axes.dataLim.y1
        axes.set_ylim(low, low + 1.08 * (largest - low) if largest > low else low + 1)
    if high is not None:
        axes.set_ylim(top=high)
    bottom, top = axes.get_ylim()
    step = size(top, panel.unit)
    ticks = [step * each for each in np.asarray(MaxNLocator(5).tick_values(bottom / step, top / step)).tolist()]
    axes.yaxis.set_major_locator(FixedLocator([each for each in ticks if bottom <= each <= top]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(round(value, 12), panel.unit)))


def moment(time: float) -> float:
    """Where it is on an axis of local time."""
    return float(dates.date2num(datetime.fromtimestamp(time)))  # noqa: DTZ006


def _moments(times: Iterable[float]) -> list[float]:
    return [moment(each) for each in times]


def _once(legend: Legend) -> Legend:
    return [next(group) for _, group in groupby(legend, key=lambda each: each[0])]
