"""What all boards have in common: variables, links to each other, look."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import TimeZoneBrowser

from boards.panels import SOURCE, Panels

TAG = "trainingjob"
Rows = dict[str, Panels]
"""Panels under the titles of their rows."""


def board(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Any],
    rows: Rows,
    annotations: Sequence[AnnotationQuery] = (),
) -> models.Dashboard:
    """A board; it is refreshed by itself and opens with the last six hours."""
    made = Dashboard(title).uid(uid).description(description).tags([TAG]).timezone(TimeZoneBrowser).editable()
    made.time("now-6h", "now").refresh("30s").tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.link(_to_the_others()).with_variable(_source())
    for variable in variables:
        made.with_variable(variable)
    number = 0
    for heading, panels in rows.items():
        number += 1
        made.with_row(Row(heading).id(number))
        for panel in panels:
            number += 1
            made.with_panel(panel.id(number))
    for each in annotations:
        made.annotation(each)
    return _unfolded(made.build())


def _unfolded(made: models.Dashboard) -> models.Dashboard:
    """The SDK puts links and annotations into a menu that is closed; they are to be seen."""
    for each in (*(made.links or ()), *(made.annotations.list_val or ())):
        each.placement = None
    return made


def training_variables(several: bool) -> list[QueryVariable]:
    """Namespace and TrainingJob: one, or any number."""
    selector = 'trainingjob_operator_job_phase{training_namespace=~"$namespace"}'
    return [
        choice("namespace", "Namespace", "label_values(trainingjob_operator_job_phase, training_namespace)", several),
        choice("training", "TrainingJob", f"label_values({selector}, training_name)", several),
    ]


def choice(name: str, label: str, query: str, several: bool) -> QueryVariable:
    """A variable whose values are those that there were in the time range."""
    variable = QueryVariable(name).label(label).datasource(SOURCE).query({"query": query, "refId": name})
    variable.definition(query).sort(models.VariableSort.ALPHABETICAL_ASC)
    variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(several).include_all(several)
    if several:
        every = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable.all_value(".*").current(every)
    return variable


def annotation(name: str, expr: str, color: str) -> AnnotationQuery:
    """Moments at which the expression has a value; neighbours become one span."""
    target = Dataquery().datasource(SOURCE).ref_id("Anno").expr(expr)
    query = AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(color).target(target)
    return query.expr(expr).step("15s").title_format(name)


def _to_the_others() -> DashboardLink:
    link = DashboardLink("TrainingJob boards").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(False).include_vars(True).keep_time(True)


def _source() -> DatasourceVariable:
    return DatasourceVariable("datasource").label("Data source").type("prometheus")
