"""Every kopf decorator, and nothing else: what a watch shows goes into the store, and its key into the queue."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import kopf

from training_operator.records import Key
from training_operator.settings import Settings, tune
from training_operator.store import Kind, Store
from trainingjob_api.contract import GROUP, PLURAL, VERSION


@dataclass(frozen=True)
class Inbox:
    """Where the handlers leave what they were shown."""

    store: Store
    on_news: Callable[[Key], None]

    def receive(self, kind: Kind, event: kopf.RawEvent) -> None:
        raw = dict(event["object"])
        take = self.store.remove if event["type"] == "DELETED" else self.store.put
        for key in take(kind, raw):
            self.on_news(key)


async def watch(inbox: Inbox, settings: Settings, on_begun: Callable[[], None]) -> None:
    """Watch until cancelled; raises when kopf gives up, and the Deployment starts anew.

    kopf minds the signals itself once it has begun; whoever is to do it instead does so after that.
    """
    registry = kopf.OperatorRegistry()
    _register(registry, inbox)
    tuned = kopf.OperatorSettings()
    tune(tuned)
    others = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=tuned,
        standalone=True,
        # Else kopf asks for the user's name, and a container's user has none.
        identity=cast(Any, "trainingjob-operator"),
        clusterwide=settings.is_cluster_wide,
        namespaces=settings.namespaces,
    )
    on_begun()
    await kopf.run_tasks(tasks, ignored=others)
    raise RuntimeError("kopf has ended")


def _register(registry: kopf.OperatorRegistry, inbox: Inbox) -> None:
    @kopf.on.login(registry=registry)
    def log_in(**kwargs: Any) -> kopf.ConnectionInfo | None:
        given = os.environ.get("KUBECONFIG")
        return (None if given else kopf.login_with_service_account(**kwargs)) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def training_job(event: kopf.RawEvent, **_: Any) -> None:
        inbox.receive(Kind.TRAINING_JOB, event)

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job(event: kopf.RawEvent, **_: Any) -> None:
        inbox.receive(Kind.JOB, event)

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def pod(event: kopf.RawEvent, **_: Any) -> None:
        inbox.receive(Kind.POD, event)
