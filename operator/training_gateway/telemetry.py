"""What the gateway counts, for Prometheus. No names of users, tasks or namespaces."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Telemetry:
    """One gateway's."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "trainingjob_gateway_requests", "Requests.", ["method", "route", "code"], registry=self._registry
        )
        self._seconds = Histogram(
            "trainingjob_gateway_request_seconds",
            "How long answers took, streams left out.",
            ["method", "route"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._streams = Gauge("trainingjob_gateway_streams", "Streams that are open.", registry=self._registry)
        self._jobs = Gauge("trainingjob_gateway_jobs", "TrainingJobs in memory.", registry=self._registry)

    def watch(self, streams: Callable[[], int], jobs: Callable[[], int]) -> None:
        self._streams.set_function(streams)
        self._jobs.set_function(jobs)

    def note(self, method: str, route: str, code: int, seconds: float, is_stream: bool) -> None:
        """route: the path's pattern, such as /api/v1/epoch-training/progress/{task_id}."""
        known = method if method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"
        self._requests.labels(known, route or "none", str(code or 499)).inc()
        if not is_stream:
            self._seconds.labels(known, route or "none").observe(seconds)

    def page(self) -> bytes:
        return generate_latest(self._registry)
