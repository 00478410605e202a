"""Curves over something else than the clock: epochs, steps, time since the start."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import xychart
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig as Transformation
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.xychart import SeriesMapping, XYShowMode

from boards.panels import REFS, Column, Query, Text, dressed, targets

SERIES = ("training_namespace", "training_name")


def scatter(
    text: Text,
    x: Column,
    ys: Sequence[Column],
    several: bool,
    width: int = 12,
    height: int = 10,
    mark: tuple[Column, Column] | None = None,
) -> xychart.Panel:
    """Each y over x, of several trainings or of one, and a mark at an x of its own.

    Scrapes see an x many times; only the last y of each is drawn.
    """
    columns = [x, *ys, *(mark or ())]
    panel = dressed(xychart.Panel(), text, width, height)
    for target in targets([Query(column.expr) for column in columns]):
        panel.with_target(target.range().format(PromQueryFormat.TABLE))
    panel.with_transformation(Transformation("merge", options={}))
    panel.with_transformation(_last_of_each(len(columns) - 1))
    panel.with_transformation(_named(columns))
    panel.with_transformation(Transformation("sortBy", options={"fields": {}, "sort": [{"field": x.name}]}))
    if several:
        naming = {"asLabels": False, "append": False, "withNames": False, "separator2": "/"}
        options = {"fields": list(SERIES), "naming": naming, "keepFields": False}
        panel.with_transformation(Transformation("partitionByValues", options=options))
    panel.mapping(SeriesMapping.AUTO if several else SeriesMapping.MANUAL)
    fields = [("Value #A", _last(ref)) for ref in REFS[1 : len(ys) + 1]]
    if mark:
        fields.append((_last(REFS[len(ys) + 1]), _last(REFS[len(ys) + 2])))
    panel.series([_over(x_field, y_field, several) for x_field, y_field in fields])
    return panel.show(XYShowMode.POINTS_AND_LINES).axis_label("")


def _last_of_each(ys: int) -> Transformation:
    grouped = {name: {"aggregations": [], "operation": "groupby"} for name in (*SERIES, "Value #A")}
    last = {f"Value #{ref}": {"aggregations": ["lastNotNull"], "operation": "aggregate"} for ref in REFS[1 : ys + 1]}
    return Transformation("groupBy", options={"fields": grouped | last})


def _named(columns: Sequence[Column]) -> Transformation:
    x, *ys = columns
    names = {"Value #A": x.name} | {_last(ref): y.name for ref, y in zip(REFS[1:], ys, strict=False)}
    return Transformation("organize", options={"excludeByName": {}, "indexByName": {}, "renameByName": names})


def _last(ref: str) -> str:
    """What grouping calls it."""
    return f"Value #{ref} (lastNotNull)"


def _over(x: str, y: str, several: bool) -> xychart.XYSeriesConfig:
    """By the names that fields had at first: those shown get the trainings' names. One training has one frame."""

    def by_name(name: str) -> xychart.MatcherConfig:
        return xychart.MatcherConfig().id("byName").options(name)

    series = xychart.XYSeriesConfig().x(xychart.XychartXYSeriesConfigX().matcher(by_name(x)))
    series.y(xychart.XychartXYSeriesConfigY().matcher(by_name(y)))
    if not several:
        first = xychart.MatcherConfig().id("byIndex").options(0)
        series.frame(xychart.XychartXYSeriesConfigFrame().matcher(first))
    return series
