"""The operator's own metrics, and gauges of each TrainingJob mirrored from its status.

Those are read from the store at scrape time, so they are gone as soon as their TrainingJob is.
"""

from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from training_operator.store import Kind
from trainingjob_api.progress import EpochMetrics, TestMetrics
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import Phase

_OF_JOB = ("training_namespace", "training_name")
_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2, 10, 30)


class Metrics:
    """What the operator counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.reconciles = Counter(
            "trainingjob_operator_reconciles", "Passes over a TrainingJob.", ["result"], registry=registry
        )
        self.duration = Histogram(
            "trainingjob_operator_reconcile_duration_seconds", "Of a pass.", registry=registry, buckets=_BUCKETS
        )
        self.calls = Counter(
            "trainingjob_operator_api_requests",
            "Calls of the API server; code 0: no answer.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self.call_duration = Histogram(
            "trainingjob_operator_api_request_duration_seconds",
            "Of a call of the API server.",
            ["verb"],
            registry=registry,
            buckets=_BUCKETS,
        )

    def count_call(self, verb: str, resource: str, code: int, seconds: float) -> None:
        self.calls.labels(verb, resource, str(code)).inc()
        self.call_duration.labels(verb).observe(seconds)

    def watch_queue(self, depth: Callable[[], float], age: Callable[[], float]) -> None:
        """Show the queue's state as it is at scrape time."""
        Gauge("trainingjob_operator_queue_depth", "Keys that wait.", registry=self.registry).set_function(depth)
        Gauge(
            "trainingjob_operator_queue_age_seconds", "How long the oldest key has waited.", registry=self.registry
        ).set_function(age)

    def watch_lag(self, seconds_behind: Callable[[Kind], float], list_age: Callable[[], float]) -> None:
        """Show how old the operator's picture of the cluster is."""
        behind = Gauge(
            "trainingjob_operator_watch_behind_seconds",
            "For how long the watch has failed to show what a LIST has shown.",
            ["resource"],
            registry=self.registry,
        )
        for kind in Kind:
            behind.labels(kind.value).set_function(_bound(seconds_behind, kind))
        Gauge(
            "trainingjob_operator_list_age_seconds", "Since the last complete LIST.", registry=self.registry
        ).set_function(list_age)


def _bound(function: Callable[[Kind], float], kind: Kind) -> Callable[[], float]:
    return lambda: function(kind)


class JobGauges(Collector):
    """TrainingJobs by phase, and a few numbers of each."""

    def __init__(self, training_jobs: Callable[[], Iterable[TrainingJob]]) -> None:
        self._training_jobs = training_jobs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        jobs = list(self._training_jobs())
        yield _by_phase(jobs)
        for name, (documentation, number) in _NUMBERS.items():
            family = GaugeMetricFamily(f"trainingjob_operator_job_{name}", documentation, labels=_OF_JOB)
            for job in jobs:
                if (value := number(job)) is not None:
                    family.add_metric([job.metadata.namespace, job.metadata.name], float(value))
            yield family
        yield _of_ones_own(jobs)


def _of_ones_own(jobs: list[TrainingJob]) -> GaugeMetricFamily:
    """What the programs of jobs report themselves."""
    family = GaugeMetricFamily(
        "trainingjob_operator_job_user_metric", "What the program reports.", labels=[*_OF_JOB, "name"]
    )
    for job in jobs:
        latest = job.status.metrics.latest if job.status.metrics else None
        for name, value in ((latest and latest.extra) or {}).items():
            family.add_metric([job.metadata.namespace, job.metadata.name, name], value)
    return family


def _by_phase(jobs: list[TrainingJob]) -> GaugeMetricFamily:
    counts = Count(job.status.phase for job in jobs)
    family = GaugeMetricFamily("trainingjob_operator_jobs", "TrainingJobs.", labels=["phase"])
    for phase in Phase:
        family.add_metric([phase.value], counts[phase])
    return family


Number = Callable[[TrainingJob], float | None]


def _of_progress(field: str) -> Number:
    return lambda job: getattr(job.status.progress, field) if job.status.progress else None


def _of_metrics(which: str, field: str) -> Number:
    def number(job: TrainingJob) -> float | None:
        metrics = getattr(job.status.metrics, which) if job.status.metrics else None
        return getattr(metrics, field) if metrics else None

    return number


def _timestamp_of_checkpoint(job: TrainingJob) -> float | None:
    return job.status.checkpoint.save_time.timestamp() if job.status.checkpoint else None


_MEASURES = ("loss", "accuracy", "precision", "recall", "f1", "roc_auc", "mae", "mse", "rmse", "r2")


def _measures(which: str, prefix: str, documentation: str) -> dict[str, tuple[str, Number]]:
    """Named as the trainer names them: prefix, split, measure."""
    splits = ("",) if which == "test" else ("train_", "validation_")
    known = (TestMetrics if which == "test" else EpochMetrics).model_fields
    fields = [f"{split}{measure}" for split in splits for measure in _MEASURES]
    return {
        f"{prefix}{field}{'_ratio' if field.endswith('accuracy') else ''}": (documentation, _of_metrics(which, field))
        for field in fields
        if field in known
    }


_NUMBERS: dict[str, tuple[str, Number]] = {
    "attempt": ("Attempts so far.", lambda job: job.status.attempt),
    "restarts": ("Restarts that spent the budget.", lambda job: job.status.restarts),
    "disruptions": ("Disruptions; they spend no budget.", lambda job: job.status.disruptions),
    "suspend_requested": ("Whether spec.suspend is true.", lambda job: float(not job.spec.wants_to_run)),
    "finished": ("Whether it is complete or failed.", lambda job: float(job.status.is_finished)),
    "epoch": ("Whole epochs done.", _of_progress("epoch")),
    "epochs": ("Epochs in all.", _of_progress("epochs")),
    "step": ("Steps done.", _of_progress("step")),
    "samples_per_second": ("Training speed.", _of_progress("samples_per_second")),
    "remaining_seconds": ("Estimate of the time left.", _of_progress("seconds_remaining")),
    "learning_rate": ("Of the latest epoch.", _of_metrics("latest", "learning_rate")),
    "last_checkpoint_timestamp_seconds": ("When the newest checkpoint was saved.", _timestamp_of_checkpoint),
    **_measures("latest", "", "Of the latest epoch."),
    **_measures("best", "best_", "Of the best epoch."),
    **_measures("test", "test_", "Of the finished model on the test rows."),
}
