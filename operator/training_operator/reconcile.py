"""The one loop: observe, plan, apply, status."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from training_operator.act import Actor
from training_operator.asking import Source
from training_operator.budget import Budget
from training_operator.builders.event import Note
from training_operator.cluster import Cluster, StatusTarget
from training_operator.deadlines import look_again
from training_operator.errors import ConflictError, RefusedError, TryAgainError
from training_operator.failing import Failures
from training_operator.histories import Histories
from training_operator.lost_nodes import lost_nodes
from training_operator.observe import Observed, observe
from training_operator.obstacle import Obstacle
from training_operator.plan import Plan, decide
from training_operator.poller import Poller
from training_operator.recorder import EventRecorder
from training_operator.records import Key
from training_operator.situation import Situation
from training_operator.status.derive import derive, has_ended, held_up, is_routine, same
from training_operator.status.notes import notes
from training_operator.store import Kind, Store
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import Reason, TrainingJobStatus

logger = logging.getLogger(__name__)

SOON = 2.0
"""Seconds after which to look for what time alone removes and no watch shows."""
_ASKED_IN = {Situation.ACTIVE, Situation.LATE, Situation.STOPPING, Situation.ENDED}


@dataclass(frozen=True)
class Reconciler:
    """Brings one TrainingJob at a time closer to what its spec asks for."""

    cluster: Cluster
    store: Store
    poller: Poller
    actor: Actor
    clock: Callable[[], datetime]
    retry_seconds: float
    budget: Budget
    histories: Histories
    recorder: EventRecorder
    may_read_nodes: bool = True
    failures: Failures = field(default_factory=Failures)

    async def reconcile(self, key: Key) -> float | None:
        """One pass; after how many seconds to look again, None: only when something happens."""
        view = self.store.view(key)
        job = view.training_job
        if job is None or job.metadata.deletion_timestamp is not None:
            self.poller.leave(key)
            self.failures.forget(key)
            self.budget.leave(key)
            self.histories.forget(key)
            return None
        try:
            return await self._pass(key, job)
        except Exception as error:
            return await self._show(key, job, error)

    async def _pass(self, key: Key, job: TrainingJob) -> float | None:
        observed = await self._observe(key, job)
        plan = decide(observed)
        if plan.must_see_pods:
            observed = await self._observe(key, job, pods_are_fresh=True)
            plan = decide(observed)
        if plan.situation is Situation.ELSEWHERE:
            self.poller.leave(key)
            return None

        self._follow_progress(key, observed, plan)
        met = await self._act(key, observed, plan)
        status = derive(observed, plan, met)
        if wait := self._wait(key, observed.status, status):
            sooner = look_again(observed, plan.situation)
            return wait if sooner is None else min(wait, sooner)
        if has_ended(observed.status, status):  # before that is written down: then the pods' words are let go
            await self.histories.conclude(observed.job, observed.attempt)
        changed = await self._record(observed, status, met)
        if met is not None:
            return self.retry_seconds if met.needs_a_person else SOON
        self.failures.forget(key)
        # Nothing is left to do then, which another pass would only find out.
        if status.is_finished and observed.spec.ttl_seconds_after_finished is None:
            return None
        return look_again(observed, plan.situation, changed)

    async def _observe(self, key: Key, job: TrainingJob, *, pods_are_fresh: bool = False) -> Observed:
        if pods_are_fresh:
            listed = await self.cluster.list_pods(key)
            self.store.put_pods(key, listed.items, listed.version)
        observed = observe(
            job, self.store.view(key), self.clock(), self.poller.report(key), pods_are_fresh=pods_are_fresh
        )
        return replace(observed, lost_nodes=await lost_nodes(self.cluster, observed, self.may_read_nodes))

    def _follow_progress(self, key: Key, observed: Observed, plan: Plan) -> None:
        """Ask rank 0 as long as it runs, also while it saves; its last word counts until the end is written down."""
        if plan.situation not in _ASKED_IN:
            self.poller.leave(key)
            return
        pods = (pod for pod in observed.attempt.pods if pod.rank == 0)
        first = next((pod for pod in pods if pod.is_running and pod.status.pod_ip), None)
        if first is not None:
            source = Source(first.status.pod_ip, observed.job.metadata.uid, observed.status.attempt)
            self.poller.follow(key, source)

    async def _act(self, key: Key, observed: Observed, plan: Plan) -> Obstacle | None:
        """Carry the plan out; what stands in its way. Status is written nevertheless."""
        try:
            await self.actor.carry_out(observed, plan.actions)
        except Exception as error:
            if (obstacle := self.failures.obstacle(key, error)) is None:
                raise
            self.failures.add(key, error)
            return obstacle
        return None

    def _wait(self, key: Key, before: TrainingJobStatus, after: TrainingJobStatus) -> float:
        """Seconds that the write has to wait for its turn; only progress has to."""
        if is_routine(before, after):
            return self.budget.wait(key)
        self.budget.leave(key)
        return 0.0

    async def _record(self, observed: Observed, status: TrainingJobStatus, met: Obstacle | None) -> bool:
        """Write the status; without the trainer's words if with them the API server refuses it."""
        try:
            return await self._write(observed.job, status)
        except RefusedError as refused:
            quiet = observed.unheard
            words = f"The API server refuses what the trainer reports: {refused}"
            status = derive(quiet, decide(quiet), met or Obstacle(Reason.STATUS_REFUSED, words))
            return await self._write(observed.job, status)

    async def _show(self, key: Key, job: TrainingJob, error: Exception) -> float | None:
        """A pass that has failed shows on the object, and is tried again."""
        obstacle = self.failures.obstacle(key, error)
        self.failures.add(key, error)
        if isinstance(error, ConflictError):
            await self._read_again(key)
        if obstacle is not None:
            try:
                await self._write(job, held_up(job.status, obstacle, job.metadata.generation, self.clock()))
            except (TryAgainError, RefusedError) as another:
                logger.warning("%s/%s: cannot be shown on the object: %s (%s)", *key, obstacle.message, another)
        if isinstance(error, RefusedError):
            return self.retry_seconds
        raise error

    async def _read_again(self, key: Key) -> None:
        """What was decided rested on old news, which the watch may show late."""
        with suppress(TryAgainError, RefusedError):
            if (raw := await self.cluster.get("trainingjobs", *key)) is not None:
                self.store.put(Kind.TRAINING_JOB, raw)

    async def _write(self, job: TrainingJob, status: TrainingJobStatus) -> bool:
        """Replace the status if it differs, then tell what happened."""
        before = job.status
        if same(status, before):
            return False
        raw = await self.cluster.replace_status(StatusTarget.of(job), status)
        self.store.put(Kind.TRAINING_JOB, raw)
        if status.job is not None and status.job.end is not None:
            self.store.forget_ends(job.metadata.key, status.attempt)
            self.poller.leave(job.metadata.key)
        for note in notes(before, status):
            self.recorder.tell(job, status.attempt, note)
        return True

    def tell_silence(self, key: Key) -> None:
        """Rank 0 runs but cannot be reached from here."""
        job = self.store.view(key).training_job
        if job is not None:
            words = "Rank 0 does not answer on /progress: training goes on, but its progress is not shown"
            self.recorder.tell(job, job.status.attempt, Note("ProgressUnreachable", words, "Warning"))
