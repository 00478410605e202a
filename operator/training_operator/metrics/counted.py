"""What the operator counts of its own work."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, Info, ProcessCollector

from training_operator.metrics import catalogue
from training_operator.metrics.declared import counter, gauge, histogram
from training_operator.store import Kind
from trainingjob_api.contract import RELEASE

_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2, 10, 30)


class Metrics:
    """Of one operator."""

    def __init__(self, registry: CollectorRegistry) -> None:
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self.registry = registry
        self.reconciles = counter(catalogue.RECONCILES, registry)
        self.duration = histogram(catalogue.RECONCILE_DURATION, _BUCKETS, registry)
        self.calls = counter(catalogue.API_REQUESTS, registry)
        self._calls: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.call_duration = histogram(catalogue.API_REQUEST_DURATION, _BUCKETS, registry)
        build = Info(catalogue.BUILD.family_name, catalogue.BUILD.meaning, registry=registry)
        build.info({"version": RELEASE})

    def count_call(self, verb: str, resource: str, code: int, seconds: float) -> None:
        calls, durations = self._of_call(verb, resource, code)
        calls.inc()
        durations.observe(seconds)

    def _of_call(self, verb: str, resource: str, code: int) -> tuple[Counter, Histogram]:
        """Remembered: to find them by their labels takes longer than to count."""
        known = self._calls.get((verb, resource, code))
        if known is None:
            known = self.calls.labels(verb, resource, str(code)), self.call_duration.labels(verb)
            self._calls[verb, resource, code] = known
        return known

    def watch_leadership(self, is_leading: Callable[[], bool]) -> None:
        """Show whether it is this replica that acts."""
        gauge(catalogue.IS_LEADER, self.registry).set_function(is_leading)

    def watch_queue(self, depth: Callable[[], float], age: Callable[[], float]) -> None:
        """Show the queue's state as it is at scrape time."""
        gauge(catalogue.QUEUE_DEPTH, self.registry).set_function(depth)
        gauge(catalogue.QUEUE_AGE, self.registry).set_function(age)

    def watch_lag(self, seconds_behind: Callable[[Kind], float], list_age: Callable[[], float]) -> None:
        """Show how old the operator's picture of the cluster is."""
        behind = gauge(catalogue.WATCH_BEHIND, self.registry)
        for kind in Kind:
            behind.labels(kind.value).set_function(_bound(seconds_behind, kind))
        gauge(catalogue.LIST_AGE, self.registry).set_function(list_age)


def _bound(function: Callable[[Kind], float], kind: Kind) -> Callable[[], float]:
    return lambda: function(kind)
