"""Panels without axes: large numbers, bars, tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from pictures import look
from pictures.board import Panel
from pictures.units import written
from pictures.view import View

Row = dict[str, Any]
_LINE = 0.24  # inches that a row of a table takes


def stat(axes: Axes, panel: Panel, view: View) -> list[tuple[str, str]] | None:
    """The value of each series, large."""
    shown = view.bars(panel)
    if not shown:
        return None
    axes.axis("off")
    is_named = len(shown) > 1 or panel.json["options"].get("textMode") == "value_and_name"
    size = 23 if len(shown) == 1 else 15
    for index, each in enumerate(shown):
        at = 1 - (index + 0.5) / len(shown)
        text = written(each.series.last, panel.unit, panel.defaults.get("decimals"))
        axes.text(0.5, at, text, ha="center", va="center", fontsize=size, color=_threshold(panel, each.series.last))
        if is_named:
            axes.text(0.02, at, each.name, ha="left", va="center", fontsize=8, color=look.FAINT)
    return []


def _threshold(panel: Panel, value: float) -> str:
    steps = panel.defaults.get("thresholds", {}).get("steps", [])
    passed = [step["color"] for step in steps if step.get("value") is None or value >= step["value"]]
    return look.NAMED.get(passed[-1], passed[-1]) if passed else look.NAMED["green"]


def bargauge(axes: Axes, panel: Panel, view: View) -> list[tuple[str, str]] | None:
    """A horizontal bar for each series, in the order of the query."""
    shown = view.bars(panel)
    if not shown:
        return None
    axes.axis("off")
    longest = max(each.series.last for each in shown) or 1.0
    axes.set_xlim(0, 1)
    axes.set_ylim(len(shown), 0)
    for index, each in enumerate(shown):
        share = max(each.series.last, 0) / longest
        axes.add_patch(Rectangle((0, index + 0.42), 0.84, 0.4, color=look.GRID, linewidth=0))
        axes.add_patch(
            Rectangle((0, index + 0.42), 0.84 * share, 0.4, color=look.NAMED["green"], alpha=0.75, linewidth=0)
        )
        axes.text(0, index + 0.22, each.name, fontsize=7.5, color=look.TEXT, va="center")
        text = written(each.series.last, panel.unit)
        axes.text(1, index + 0.62, text, fontsize=9, color=look.NAMED["green"], va="center", ha="right")
    return []


def table(axes: Axes, panel: Panel, view: View, height: float) -> list[tuple[str, str]] | None:
    """As many rows as there is room for, in a height in inches."""
    headings, rows = joined(panel, view)
    if not rows:
        return None
    axes.axis("off")
    room = max(1, int(height / _LINE) - 1)
    axes.set_xlim(0, 1)
    axes.set_ylim(room + 1, 0)
    lefts = _lefts(headings, rows, panel)
    for index, row in enumerate([dict.fromkeys(headings, ""), *rows[:room]]):
        if index:
            axes.plot([0, 1], [index, index], color=look.EDGE, linewidth=0.6)
        for heading, (left, width) in zip(headings, lefts, strict=True):
            if index == 0:
                axes.text(left, 0.5, heading, fontsize=7.5, color=look.NAMED["blue"], va="center")
            else:
                _cell(axes, panel, heading, row.get(heading), (left, index, width))
    return []


def joined(panel: Panel, view: View) -> tuple[list[str], list[Row]]:
    """Headings in order, and a row for each set of labels: what merging and organizing make of the queries."""
    options = next(each["options"] for each in panel.json["transformations"] if each["id"] == "organize")
    hidden, names = options.get("excludeByName", {}), options.get("renameByName", {})
    is_only_one = len(panel.queries) == 1
    merged: list[tuple[Row, Row]] = []
    for reference, expr, _ in panel.queries:
        value_name = "Value" if is_only_one else f"Value #{reference}"
        for series in view.now(expr):
            _merge(merged, dict(series.labels), {value_name: series.last})
    order = options.get("indexByName", {})
    shown = sorted((key for key in names if not hidden.get(key)), key=lambda key: order.get(key, len(names)))
    headings = [names[key] for key in shown]
    rows = [
        {names[key]: value for key, value in (labels | values).items() if key in names} for labels, values in merged
    ]
    return headings, sorted(rows, key=lambda row: [str(row.get(name, "")) for name in headings[:2]])


def _merge(merged: list[tuple[Row, Row]], labels: Row, values: Row) -> None:
    """Into the row whose labels agree, as Grafana's merge does: what both have must be equal."""
    for known, found in merged:
        shared = known.keys() & labels.keys()
        if shared and all(known[name] == labels[name] for name in shared) and not found.keys() & values.keys():
            known.update(labels)
            found.update(values)
            return
    merged.append((labels, values))


def _lefts(headings: Sequence[str], rows: Sequence[Row], panel: Panel) -> list[tuple[float, float]]:
    """Left edge and width of each column, wide enough for what is in it."""
    widths = []
    for heading in headings:
        is_gauge = "custom.cellOptions" in panel.override(heading)
        cells = [len(_written(panel, heading, row.get(heading))) for row in rows]
        widths.append(max([len(heading), *cells]) + (14 if is_gauge else 2))
    scale = 1 / sum(widths)
    return [(sum(widths[:index]) * scale, width * scale) for index, width in enumerate(widths)]


def _written(panel: Panel, heading: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    override = panel.override(heading)
    return written(value, str(override.get("unit", panel.unit)), override.get("decimals"))


def _cell(axes: Axes, panel: Panel, heading: str, value: Any, place: tuple[float, float, float]) -> None:
    left, top, width = place
    text, override = _written(panel, heading, value), panel.override(heading)
    has_link = "links" in override
    if "custom.cellOptions" in override and isinstance(value, float):
        _gauge(axes, value, override, place)
        left += width * 0.72
    axes.text(left, top + 0.52, text, fontsize=7.5, color=look.PALETTE[6] if has_link else look.TEXT, va="center")


def _gauge(axes: Axes, value: float, override: Mapping[str, Any], place: tuple[float, float, float]) -> None:
    left, top, width = place
    share = min(1.0, max(0.0, value / float(override.get("max", 1))))
    for part, shade in ((1.0, look.GRID), (share, look.NAMED["green"])):
        box = FancyBboxPatch(
            (left, top + 0.28), 0.68 * width * part, 0.46, boxstyle="square,pad=0", color=shade, linewidth=0
        )
        axes.add_patch(box)
