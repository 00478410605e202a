"""The one loop: observe, plan, apply, status."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from training_operator.act import Actor
from training_operator.asking import Source
from training_operator.builders.event import Note, build_event
from training_operator.cluster import AlreadyExistsError, Cluster, RefusedError, StatusTarget, TryAgainError
from training_operator.deadlines import look_again
from training_operator.lost_nodes import lost_nodes
from training_operator.observe import Observed, observe
from training_operator.plan import Plan, decide
from training_operator.poller import Poller
from training_operator.records import Key, Unreadable
from training_operator.situation import Situation
from training_operator.status.derive import derive, refusal, same
from training_operator.status.notes import notes
from training_operator.store import Kind, Store
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import TrainingJobStatus

logger = logging.getLogger(__name__)

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
    may_read_nodes: bool = True

    async def reconcile(self, key: Key) -> float | None:
        """One pass; after how many seconds to look again, None: only when something happens."""
        job = self.store.view(key).training_job
        if job is None or job.metadata.deletion_timestamp is not None:
            self.poller.leave(key)
            return None
        if isinstance(job, Unreadable):
            return await self._refuse(job)

        observed = await self._observe(key, job)
        plan = decide(observed)
        if plan.must_see_pods:
            observed = await self._observe(key, job, pods_are_fresh=True)
            plan = decide(observed)
        if plan.situation is Situation.ELSEWHERE:
            self.poller.leave(key)
            return None

        self._follow_progress(key, observed, plan)
        met = await self.actor.carry_out(observed, plan.actions)
        changed = await self._write(observed, derive(observed, plan, met))
        return look_again(observed, plan.situation, changed) if met is None else self.retry_seconds

    async def _observe(self, key: Key, job: TrainingJob, *, pods_are_fresh: bool = False) -> Observed:
        if pods_are_fresh:
            listed = await self.cluster.list_pods(key)
            self.store.put_pods(key, listed.items, listed.version)
        view, heard = self.store.view(key), self.poller.report(key)
        report = heard.progress if heard else None
        observed = observe(job, view, self.clock(), report, pods_are_fresh=pods_are_fresh)
        return replace(observed, lost_nodes=await lost_nodes(self.cluster, observed, self.may_read_nodes))

    def _follow_progress(self, key: Key, observed: Observed, plan: Plan) -> None:
        """Ask rank 0 as long as it runs, also while it saves; its last word counts until the end is written down."""
        if plan.situation not in _ASKED_IN:
            self.poller.leave(key)
        first = next(
            (pod for pod in observed.attempt.pods if pod.rank == 0 and pod.is_running and pod.status.pod_ip), None
        )
        if first is None or plan.situation not in _ASKED_IN:
            return
        source = Source(first.status.pod_ip, observed.job.metadata.uid, observed.status.attempt)
        self.poller.follow(key, source)

    async def _write(self, observed: Observed, status: TrainingJobStatus) -> bool:
        """Replace the status if it differs, then tell what happened."""
        before, job = observed.status, observed.job
        if same(status, before):
            return False
        raw = await self.cluster.replace_status(StatusTarget.of(job), status)
        self.store.put(Kind.TRAINING_JOB, raw)
        if status.job is not None and status.job.end is not None:
            self.store.forget_ends((job.metadata.namespace, job.metadata.name), status.attempt)
        for note in notes(before, status):
            await self.tell(job, status.attempt, note)
        return True

    async def tell(self, job: TrainingJob, attempt: int, note: Note) -> None:
        """Write an Event; nothing depends on it."""
        logger.info("%s/%s: %s: %s", job.metadata.namespace, job.metadata.name, note.reason, note.message)
        try:
            await self.cluster.create("events", build_event(job, attempt, note, self.clock()))
        except AlreadyExistsError:
            pass
        except (TryAgainError, RefusedError) as error:
            logger.warning("%s/%s: no event: %s", job.metadata.namespace, job.metadata.name, error)

    async def tell_silence(self, key: Key) -> None:
        """Rank 0 runs but cannot be reached from here."""
        job = self.store.view(key).training_job
        if isinstance(job, TrainingJob):
            words = "Rank 0 does not answer on /progress: training goes on, but its progress is not shown"
            await self.tell(job, job.status.attempt, Note("ProgressUnreachable", words, "Warning"))

    async def _refuse(self, job: Unreadable) -> float | None:
        """Say why nothing is done; what runs is left alone."""
        status = refusal(job, self.clock())
        if status is None or (job.status and same(status, job.status)):
            logger.warning("%s/%s cannot be read: %s", *job.key, job.problem)
            return None
        metadata = job.metadata
        target = StatusTarget(metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)
        try:
            self.store.put(Kind.TRAINING_JOB, await self.cluster.replace_status(target, status))
        except RefusedError as refused:
            logger.warning("%s/%s cannot be read (%s), nor its status written: %s", *job.key, job.problem, refused)
        return None
