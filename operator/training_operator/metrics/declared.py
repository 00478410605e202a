"""Prometheus' own classes, made from the catalogue."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from trainingjob_api.metrics import MetricFamily

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter, which nobody asks for


def counter(family: MetricFamily, registry: CollectorRegistry) -> Counter:
    return Counter(family.family_name, family.meaning, family.labels, registry=registry)


def gauge(family: MetricFamily, registry: CollectorRegistry) -> Gauge:
    return Gauge(family.family_name, family.meaning, family.labels, registry=registry)


def histogram(family: MetricFamily, buckets: Sequence[float], registry: CollectorRegistry) -> Histogram:
    return Histogram(family.family_name, family.meaning, family.labels, registry=registry, buckets=buckets)
