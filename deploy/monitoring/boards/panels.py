"""Panels in one look: each has a title, a description, a unit, and a sentence for when there is nothing to show."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
    xychart,
)
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.common import DataSourceRef as Source
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig as Transformation
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue as Property
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = Source(type_val="prometheus", uid="${datasource}")
P = TypeVar("P", timeseries.Panel, stat.Panel, bargauge.Panel, statetimeline.Panel, table.Panel, xychart.Panel)
C = TypeVar("C", timeseries.Panel, statetimeline.Panel)
Panels = Sequence[Any]
"""Builders of any kinds of panels: the SDK has no type that they share."""
NOTHING = "Nothing to show: no training in this time range reports this."


@dataclass(frozen=True)
class Text:
    """What a panel says of itself."""

    title: str
    description: str
    unit: str
    empty: str = NOTHING


@dataclass(frozen=True)
class Query:
    """PromQL, and how its series are called."""

    expr: str
    legend: str = "__auto"


def curve(
    text: Text, *queries: Query, width: int = 8, height: int = 8, stacked: bool = False, floor: float | None = 0
) -> timeseries.Panel:
    """Lines over time, on an axis that begins at the floor, or wherever the values do."""
    panel = dressed(timeseries.Panel(), text, width, height)
    if floor is not None:
        panel.min(floor)
    for target in targets(queries):
        panel.with_target(target.range())
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel.legend(legend.show_legend(True).calcs([]))
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    panel.draw_style(GraphDrawStyle.LINE).line_width(1).fill_opacity(40 if stacked else 5)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    return panel


def dashed(panel: timeseries.Panel, name: str) -> timeseries.Panel:
    """Draws one series as what the others are to be compared with."""
    style = Property("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})
    return panel.override_by_name(name, [style, Property("custom.fillOpacity", 0)])


def logarithmic(panel: timeseries.Panel) -> timeseries.Panel:
    """For values of different sizes beside each other."""
    return panel.scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10))


def colored(panel: C, colors: Mapping[str, str]) -> C:
    """Gives series whose names begin with these words a colour of their own, the same wherever they are shown."""
    for name, color in colors.items():
        panel.override_by_regexp(f"/^{name}\\b/", [Property("color", {"mode": "fixed", "fixedColor": color})])
    return panel


PHASES = {
    "Pending": "yellow",
    "Queued": "light-yellow",
    "Starting": "orange",
    "Running": "green",
    "Finishing": "light-green",
    "Pausing": "light-blue",
    "Paused": "blue",
    "Restarting": "purple",
    "Succeeded": "dark-green",
    "Failed": "red",
}
ACTIVITIES = {
    "training": "green",
    "running": "light-green",
    "evaluating": "purple",
    "saving": "yellow",
    "starting": "orange",
    "restoring": "light-orange",
    "stopping": "dark-purple",
    "finishing": "light-blue",
    "finished": "dark-green",
}


def number(
    text: Text,
    *queries: Query,
    width: int = 4,
    height: int = 4,
    colors: Mapping[float, str] | None = None,
    named: bool = False,
    decimals: int | None = 0,
) -> stat.Panel:
    """The value at the end of the time range, large: what has none any more is not to show its last one.

    colors: from which value on it has which colour; green below all of them. named: with the legend, also a lone one.
    """
    panel = dressed(stat.Panel(), text, width, height)
    if colors:
        steps = [Threshold(color="green"), *(Threshold(value, color) for value, color in colors.items())]
        panel.thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    for target in targets(queries):
        panel.with_target(target.instant())
    if text.unit == "short" and decimals is not None:
        panel.decimals(decimals)  # an increase is extrapolated: two restarts come out as 2.03
    if named:
        panel.text_mode(BigValueTextMode.VALUE_AND_NAME)
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    return panel.graph_mode(BigValueGraphMode.NONE).reduce_options(last)


def bars(text: Text, query: Query, width: int = 8, height: int = 8) -> bargauge.Panel:
    """A bar for each series, as of now."""
    panel = dressed(bargauge.Panel(), text, width, height).min(0)
    panel.with_target(targets([query])[0].instant())
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    return panel.orientation(VizOrientation.HORIZONTAL).reduce_options(last)


def timeline(text: Text, query: Query, width: int = 24, height: int = 5) -> statetimeline.Panel:
    """A lane for each series, coloured while it is there."""
    panel = dressed(statetimeline.Panel(), text, width, height)
    return panel.with_target(targets([query])[0].range()).show_value(VisibilityMode.NEVER)


@dataclass(frozen=True)
class Column:
    """A query as the column of a table, joined with the others by the labels they share."""

    name: str
    expr: str
    look: Mapping[str, object] | None = None


def rows(
    text: Text,
    columns: Sequence[Column],
    labels: Mapping[str, str],
    links: Mapping[str, str],
    width: int = 24,
    height: int = 9,
) -> table.Panel:
    """A row for each set of labels (label -> heading, in order), a column for each query; no name hides it."""
    panel = dressed(table.Panel(), text, width, height).filterable(True)
    for target in targets([Query(column.expr) for column in columns]):
        panel.with_target(target.instant().format(PromQueryFormat.TABLE))
    panel.with_transformation(Transformation("merge", options={}))
    panel.with_transformation(_named(columns, labels, len(columns) == 1))
    for column in columns:
        if column.look:
            panel.override_by_name(column.name, [Property(key, value) for key, value in column.look.items()])
    for heading, url in links.items():
        panel.override_by_name(heading, [Property("links", [{"title": "Open its board", "url": url}])])
    return panel


def _named(columns: Sequence[Column], labels: Mapping[str, str], only_one: bool) -> Transformation:
    """Grafana calls a lone query's value "Value", and those of several "Value #A", "Value #B"."""
    values = {"Value" if only_one else f"Value #{ref}": column.name for ref, column in zip(REFS, columns, strict=False)}
    hidden = {"Time": True} | {value: True for value, name in values.items() if not name}
    shown = dict(labels) | {value: name for value, name in values.items() if name}
    order = {name: index for index, name in enumerate(shown)}
    return Transformation("organize", options={"excludeByName": hidden, "renameByName": shown, "indexByName": order})


REFS = string.ascii_uppercase


def targets(queries: Sequence[Query]) -> list[prometheus.Dataquery]:
    """One target for each query, A, B, C ..."""
    return [
        prometheus.Dataquery().datasource(SOURCE).ref_id(ref).expr(query.expr).legend_format(query.legend)
        for ref, query in zip(REFS, queries, strict=False)
    ]


def dressed(panel: P, text: Text, width: int, height: int) -> P:
    """Any kind of panel, with what all have."""
    panel.title(text.title).description(text.description).unit(text.unit).no_value(text.empty)
    return panel.datasource(SOURCE).span(width).height(height)
