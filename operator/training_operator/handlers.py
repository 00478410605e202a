"""Every kopf decorator, and nothing else: what its watch of TrainingJobs shows goes into the store and the queue."""

import asyncio
import os
from collections.abc import Callable, Collection
from typing import Any, cast

import kopf

from training_operator.errors import TryAgainError
from training_operator.relist import Relist
from training_operator.settings import Settings
from training_operator.store import Kind
from training_operator.tuning import tuned
from training_operator.watch import Inbox
from trainingjob_api.contract import GROUP, PLURAL, VERSION


async def watch_training_jobs(inbox: Inbox, relist: Relist, settings: Settings, on_begun: Callable[[], None]) -> None:
    """Watch until cancelled; raises when kopf gives up, as it does on any ERROR in its stream but 410.

    kopf minds the signals itself once it has begun; whoever is to do it instead does so after that. Its own way to run
    to an end is not taken: it would cancel every task of the process that is younger than itself.
    """
    for namespace in settings.namespaces or (None,):
        # Without the CRD kopf would wait for ever; and what is gone by now it would not tell.
        await relist.read(Kind.TRAINING_JOB, namespace)
    registry = kopf.OperatorRegistry()
    _register(registry, inbox)
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=tuned(),
        standalone=True,
        # Else kopf asks for the user's name, and a container's user has none.
        identity=cast(Any, "trainingjob-operator"),
        clusterwide=settings.is_cluster_wide,
        namespaces=settings.namespaces,
    )
    on_begun()
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)
    reasons = [task.exception() for task in ended if not task.cancelled()]
    raise TryAgainError(f"kopf has ended: {', '.join(map(str, reasons))}")


async def _end(tasks: Collection["asyncio.Task[None]"]) -> None:
    """They close their connections, and then themselves."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _register(registry: kopf.OperatorRegistry, inbox: Inbox) -> None:
    @kopf.on.login(registry=registry)
    def log_in(**kwargs: Any) -> kopf.ConnectionInfo | None:
        given = os.environ.get("KUBECONFIG")
        return (None if given else kopf.login_with_service_account(**kwargs)) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def training_job(event: kopf.RawEvent, **_: Any) -> None:
        inbox.receive(Kind.TRAINING_JOB, event["type"] or "", dict(event["object"]))
