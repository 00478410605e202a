"""Operator: how the operator itself is."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.board import board as made
from boards.board import choice
from boards.panels import Panels, Query, Text, curve, number
from boards.queries import quantile

HERE = 'namespace=~"$operator_namespace", pod=~"$replica"'
SILENT = "No operator answers: see Troubleshooting in docs/observability.md."
BUILD = "trainingjob_operator_build_info"
LEADERS: dict[float, str] = {0: "red", 1: "green", 2: "orange"}


def board() -> Dashboard:
    """The board."""
    selector = f'{BUILD}{{namespace=~"$operator_namespace"}}'
    variables = [
        choice("operator_namespace", "Operator's namespace", f"label_values({BUILD}, namespace)", several=True),
        choice("replica", "Replica", f"label_values({selector}, pod)", several=True),
    ]
    rows = {"Now": _now(), "Passes over TrainingJobs": _passes(), "API server": _api(), "Process": _process()}
    description = "The operator: what it does, how long that takes, whether it sees the cluster as it is."
    return made("trainingjob-operator", "TrainingJob / Operator", description, variables, rows)


def _now() -> Panels:
    leaders = Text("Leaders", "Replicas that act: one, for a moment none.", "short", "no operator answers")
    version = Text("Replicas by version", "Replicas that answer.", "short", "no operator answers")
    jobs = Text("TrainingJobs", "All that exist, also those that ended long ago.", "short", "no operator answers")
    queue = Text("Queue now", "TrainingJobs that wait for a pass.", "short", "no operator answers")
    listed = Text("Last list", "Time since everything was last listed.", "s", "no operator answers")
    behind = Text(
        "Watch behind", "Longest that a watch has failed to show what a LIST has shown.", "s", "no operator answers"
    )
    return [
        number(leaders, Query(f"sum(trainingjob_operator_is_leader{{{HERE}}})"), colors=LEADERS),
        number(version, Query(f"count by (version) ({BUILD}{{{HERE}}})", "{{version}}"), named=True),
        number(jobs, Query(f"sum(max by (phase) (trainingjob_operator_jobs{{{HERE}}}))")),
        number(queue, Query(f"max(trainingjob_operator_queue_depth{{{HERE}}})"), colors={100: "orange"}),
        number(listed, Query(f"min(trainingjob_operator_list_age_seconds{{{HERE}}})"), colors={300: "red"}),
        number(behind, Query(f"max(trainingjob_operator_watch_behind_seconds{{{HERE}}})"), colors={60: "red"}),
    ]


def _passes() -> Panels:
    passes = Text("Passes", "Passes over a TrainingJob a second, by result.", "ops", SILENT)
    duration = Text("Duration of a pass", "Quantiles over the replicas.", "s", "No pass in this time range.")
    queue = Text("Queue", "TrainingJobs that wait for a pass.", "short", SILENT)
    age = Text("Longest wait", "How long the first in the queue has waited.", "s", SILENT)
    histogram = "trainingjob_operator_reconcile_duration_seconds"
    total = f"trainingjob_operator_reconciles_total{{{HERE}}}"
    return [
        curve(passes, Query(f"sum by (result) (rate({total}[$__rate_interval]))", "{{result}}"), width=6),
        curve(duration, *_quantiles(histogram), width=6),
        curve(queue, Query(f"trainingjob_operator_queue_depth{{{HERE}}}", "{{pod}}"), width=6),
        curve(age, Query(f"trainingjob_operator_queue_age_seconds{{{HERE}}}", "{{pod}}"), width=6),
    ]


def _api() -> Panels:
    calls = Text(
        "Calls", "Calls of the API server a second, by verb and code; code 0: no answer came.", "reqps", SILENT
    )
    errors = Text(
        "Calls without success",
        "By verb, resource and code. To be told that there is no such object (404) is what some look for.",
        "reqps",
        "No call fails again and again; one that failed once is not shown.",
    )
    duration = Text("Duration of calls", "99th percentile, by verb.", "s", "No call in this time range.")
    watch = Text("Watches", "For how long each watch has failed to show what a LIST has shown.", "s", SILENT)
    total = f"trainingjob_operator_api_requests_total{{{HERE}"
    of_each = "sum by (verb, resource, code)"
    failed = f'{of_each} (rate({total}, code!~"2.."}}[$__rate_interval])) > 0'
    absent = f'{of_each} (rate({total}, verb="get", code="404"}}[$__rate_interval]))'
    histogram = "trainingjob_operator_api_request_duration_seconds"
    behind = f"max by (resource) (trainingjob_operator_watch_behind_seconds{{{HERE}}})"
    return [
        curve(calls, Query(f"sum by (verb, code) (rate({total}}}[$__rate_interval]))", "{{verb}} {{code}}"), width=6),
        curve(errors, Query(f"{failed} unless {absent}", "{{verb}} {{resource}} {{code}}"), width=6),
        curve(duration, Query(quantile(0.99, histogram, HERE, "verb"), "{{verb}}"), width=6),
        curve(watch, Query(behind, "{{resource}}"), width=6),
    ]


def _process() -> Panels:
    memory = Text("Memory", "Main memory that the process has resident.", "bytes", SILENT)
    cpu = Text("CPU", "Cores in use.", "short", SILENT)
    leader = Text("Who acts", "1 for the replica that acts, 0 for one that stands by.", "short", SILENT)
    own = f"and on (namespace, pod) {BUILD}{{{HERE}}}"
    return [
        curve(memory, Query(f"process_resident_memory_bytes {own}", "{{pod}}")),
        curve(cpu, Query(f"rate(process_cpu_seconds_total[$__rate_interval]) {own}", "{{pod}}")),
        curve(leader, Query(f"trainingjob_operator_is_leader{{{HERE}}}", "{{pod}}")),
    ]


def _quantiles(histogram: str) -> list[Query]:
    return [Query(quantile(share, histogram, HERE), f"{share:.0%}") for share in (0.5, 0.9, 0.99)]
