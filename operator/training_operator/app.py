"""Wires the parts together and runs them until one of them ends."""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CollectorRegistry

from training_operator import stopping
from training_operator.act import Actor
from training_operator.asking import Asker
from training_operator.budget import Budget
from training_operator.cluster import Cluster
from training_operator.election import Election, Leadership, Unopposed
from training_operator.gate import Gate
from training_operator.handlers import watch_training_jobs
from training_operator.histories import Histories
from training_operator.metrics.counted import Metrics
from training_operator.metrics.page import Page
from training_operator.poller import Poller
from training_operator.queue import WorkQueue
from training_operator.reconcile import Reconciler
from training_operator.recorder import EventRecorder
from training_operator.records import Key
from training_operator.relist import Relist
from training_operator.server import Health, guarded, health_pages, metrics_page, serving
from training_operator.settings import Settings
from training_operator.store import Kind, Store
from training_operator.tls import self_signed
from training_operator.watch import Inbox, Watch, for_ever

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Run the operator; CancelledError: it was told to stop."""
    task = asyncio.current_task()
    assert task is not None
    mind_signals = partial(stopping.end_by_cancelling, task)
    mind_signals()
    registry = CollectorRegistry()
    metrics, queue = Metrics(registry), WorkQueue()
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(await Cluster.connect(metrics.count_call))
        leadership: Leadership = Election(cluster, settings.lease) if settings.lease else Unopposed()
        page = Page(registry, settings.metrics_keep_seconds, leadership.is_leading)
        store = Store(page.change)
        asker = await stack.enter_async_context(Asker())
        relist = Relist(cluster, store, settings.namespaces, settings.relist_seconds, queue.add)
        health = Health(relist, queue.longest_pass, leadership)
        metrics.watch_leadership(leadership.is_leading)
        metrics.watch_queue(lambda: len(queue), lambda: queue.age)
        metrics.watch_lag(relist.seconds_behind, health.list_age)
        await stack.enter_async_context(_serving(settings, health, page, cluster))
        queue.close()
        versions = await relist.until_first()
        _spare_the_collector()

        background = await stack.enter_async_context(asyncio.TaskGroup())
        inbox = Inbox(store, queue)
        for (kind, namespace), version in versions.items():
            if kind is not Kind.TRAINING_JOB:
                watch = Watch(cluster, relist, inbox, kind, namespace, version)
                background.create_task(for_ever(watch.follow, f"the watch of {kind}"))
        kopf = partial(watch_training_jobs, inbox, relist, settings, mind_signals)
        background.create_task(for_ever(kopf, "the watch of trainingjobs"))
        background.create_task(relist.run())

        leaders = replace(cluster, may_write=leadership.is_leading)
        histories = Histories(
            leaders, asker.ask_history, lambda key: store.view(key).training_job, _now, settings.poll_seconds
        )
        poller = Poller(
            settings.poll_seconds,
            asker.ask,
            histories.catch_up,
            on_news=queue.add,
            on_silence=lambda key: reconciler.tell_silence(key),
        )
        recorder = EventRecorder(leaders, _now)
        actor = Actor(leaders, store, settings.trainer_image, settings.network_policy_from)
        reconciler = Reconciler(
            leaders,
            store,
            poller,
            actor,
            _now,
            settings.retry_seconds,
            Budget(settings.progress_writes_per_second),
            histories,
            recorder,
            may_read_nodes=settings.is_cluster_wide,
        )
        timed = _Timed(reconciler, metrics)

        async def lead() -> None:
            """Work until cancelled."""
            queue.open(store.keys())
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(histories.run())
                    group.create_task(recorder.run())
                    for _ in range(settings.workers):
                        group.create_task(queue.work(timed.work))
            finally:
                queue.close()
                poller.leave_all()
                histories.forget_all()

        await leadership.run(lead)


@asynccontextmanager
async def _serving(settings: Settings, health: Health, page: Page, cluster: Cluster) -> AsyncIterator[None]:
    """Probes are for everybody; /metrics is too, unless it is to be guarded."""
    open_pages, metrics = health_pages(health), metrics_page(page)
    if not settings.metrics_auth:
        async with serving(settings.address, settings.port, open_pages | metrics):
            yield
        return
    guarded_pages = guarded(metrics, Gate(cluster))
    async with (
        serving(settings.address, settings.port, open_pages),
        serving(settings.address, settings.metrics_port, guarded_pages, self_signed()),
    ):
        yield


def _spare_the_collector() -> None:
    """What is there by now stays, and little of what comes has cycles: to look for them took an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _now() -> datetime:
    """Kubernetes' times have whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class _Timed:
    """The reconciler with a stopwatch."""

    def __init__(self, reconciler: Reconciler, metrics: Metrics) -> None:
        self._reconciler, self._duration = reconciler, metrics.duration
        self._ended = {result: metrics.reconciles.labels(result) for result in ("ok", "error")}

    async def work(self, key: Key) -> float | None:
        began, result = time.monotonic(), "error"
        try:
            later = await self._reconciler.reconcile(key)
            result = "ok"
            return later
        finally:
            self._ended[result].inc()
            self._duration.observe(time.monotonic() - began)
