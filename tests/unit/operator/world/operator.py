"""The real operator, put together as `training_operator.app` does it: the only module here that knows the package."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from training_operator.act import Actor
from training_operator.asking import Source
from training_operator.budget import Budget
from training_operator.cluster import Cluster
from training_operator.histories import Histories
from training_operator.poller import Poller
from training_operator.queue import WorkQueue
from training_operator.reconcile import Reconciler
from training_operator.recorder import EventRecorder
from training_operator.records import Key
from training_operator.relist import Relist
from training_operator.store import Kind, Store
from training_operator.watch import Inbox
from trainingjob_api.history import HistoryPage
from trainingjob_api.progress import Progress
from unit.operator.world.api import Event
from unit.operator.world.clock import Clock
from unit.operator.world.faults import Network
from unit.operator.world.objects import Raw

IMAGE = "trainer:1"
POLL_SECONDS = 5.0
RELIST_SECONDS = 60.0
RETRY_SECONDS = 15.0
PROGRESS_WRITES_PER_SECOND = 0.05
"""So few that writes wait for their turn although there is one TrainingJob."""


@dataclass(kw_only=True)
class _Wire(Cluster):
    """The real client down to the bytes, which take a simulated way."""

    network: Network

    async def _send(self, method: str, path: str, query: dict[str, str], body: Raw | None) -> tuple[int, bytes]:
        return await self.network.send(method, path, query, json.loads(json.dumps(body)))


@dataclass
class Operator:
    """One process: it starts, works, and may be killed at any moment."""

    clock: Clock
    network: Network
    progress_of: Callable[[str], Raw | None]
    history_of: Callable[[str, int], HistoryPage | None]
    on_defect: Callable[[BaseException], None]
    on_pass: Callable[[], None]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _is_dead: bool = False
    _shown: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        self._store, self._queue = Store(), WorkQueue()
        cluster = _Wire(connection=cast(Any, None), network=self.network)
        self._histories = Histories(
            cluster,
            self._ask_history,
            lambda key: self._store.view(key).training_job,
            lambda: self.clock.now,
            POLL_SECONDS,
        )
        poller = Poller(POLL_SECONDS, self._ask, self._histories.catch_up, self._queue.add, self._on_silence)
        actor = Actor(cluster, self._store, IMAGE)
        budget = Budget(PROGRESS_WRITES_PER_SECOND, lambda: self.clock.seconds)
        self._recorder = EventRecorder(cluster, lambda: self.clock.now)
        self._reconciler = Reconciler(
            cluster,
            self._store,
            poller,
            actor,
            lambda: self.clock.now,
            RETRY_SECONDS,
            budget,
            self._histories,
            self._recorder,
        )
        self._poller = poller
        self._relist = Relist(cluster, self._store, (), RELIST_SECONDS, self._queue.add)
        self._inbox = Inbox(self._store, self._queue)
        self._begin(self._run())

    def kill(self) -> None:
        """Nothing of it runs on; what it knew is gone."""
        self._is_dead = True
        for task in self._tasks:
            task.cancel()
        self._poller.leave_all()

    def on_event(self, event: Event) -> None:
        """The watches: in order for each kind, late at times, and with gaps."""
        if event.plural not in [kind.value for kind in Kind] or self._is_dead:
            return
        delay = self.network.event_delay(event.plural)
        if delay is None:
            return
        due = max(self.clock.seconds + delay, self._shown.get(event.plural, 0.0))
        self._shown[event.plural] = due
        self.clock.after(due - self.clock.seconds, self._show, event)

    def _show(self, event: Event) -> None:
        if not self._is_dead:
            self._inbox.receive(Kind(event.plural), event.type, event.raw)

    async def _run(self) -> None:
        await self._relist.until_first()
        for _ in range(2):
            self._begin(self._queue.work(self._pass))
        self._begin(self._relist.run())
        self._begin(self._histories.run())
        self._begin(self._recorder.run())

    async def _pass(self, key: Key) -> float | None:
        self.on_pass()
        try:
            return await self._reconciler.reconcile(key)
        except OSError:
            raise  # the API server was away
        except Exception as defect:
            self.on_defect(defect)
            raise

    async def _ask(self, source: Source, patience: float) -> Progress | None:
        answer = self.progress_of(source.pod_ip)
        if answer is None:
            await asyncio.sleep(patience)
            return None
        return Progress.model_validate(answer)

    async def _ask_history(self, source: Source, after: int, patience: float) -> HistoryPage | None:
        return self.history_of(source.pod_ip, after)

    def _on_silence(self, key: Key) -> None:
        self._reconciler.tell_silence(key)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))
