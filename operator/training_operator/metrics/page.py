"""The page as a whole: text of TrainingJobs that is kept until they change, and families of a registry."""

import asyncio
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from training_operator.metrics import catalogue
from training_operator.metrics.exposition import Format
from training_operator.metrics.fleet import Fleet
from training_operator.metrics.mirror import Row, row_of
from training_operator.records import Key, Record


class Page(Collector):
    """Told by the store what has changed; asked by the server."""

    def __init__(
        self,
        registry: CollectorRegistry,
        keep_seconds: float,
        is_leading: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """is_leading: whether this replica is the one that acts; the others show no jobs, or sums would be double."""
        self._registry, self._keep_seconds, self._is_leading, self._clock = registry, keep_seconds, is_leading, clock
        self._rows: dict[Key, Row] = {}
        self._fleet = Fleet(registry, is_leading)
        self._one_at_a_time = asyncio.Lock()
        registry.register(self)

    def change(self, key: Key, job: Record | None) -> None:
        """What is now known of a TrainingJob; None: it is gone, and so are its series."""
        status = job.read_status() if job else None
        if job is None or status is None:
            self._fleet.forget(key)
            self._rows.pop(key, None)
            return
        self._fleet.show(key, job.uid, status)
        row = row_of(*key, job.uid, status)
        if self._is_out_of_date(row):
            self._rows.pop(key, None)
        else:
            self._rows[key] = row

    async def render(self, format: Format) -> bytes:
        """The body of an answer; what takes long is done beside the loop."""
        async with self._one_at_a_time:
            self._fleet.advance()
            end = format.registry_text(self._registry)
            return await asyncio.to_thread(format.body, self._current_rows(), end)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What the registry has to ask for each time."""
        family = GaugeMetricFamily(catalogue.JOBS.name, catalogue.JOBS.meaning, labels=catalogue.JOBS.labels)
        if self._is_leading():
            for phase, jobs in self._fleet.by_phase().items():
                family.add_metric([phase], jobs)
        yield family

    def _current_rows(self) -> list[Row]:
        for key in [key for key, row in self._rows.items() if self._is_out_of_date(row)]:
            del self._rows[key]
        return list(self._rows.values()) if self._is_leading() else []

    def _is_out_of_date(self, row: Row) -> bool:
        return row.ended is not None and self._clock() > row.ended + self._keep_seconds
