"""What is known about one TrainingJob at one moment: a frozen value, children sorted into named buckets once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from training_operator.builders.metadata import spec_digest
from training_operator.children import Job, Pod
from training_operator.store import View
from trainingjob_api.base import Time
from trainingjob_api.contract import attempt_name
from trainingjob_api.progress import Progress, State, TerminationMessage, parse_termination_message
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import TrainingJobStatus

_SIGTERM = 143


@dataclass(frozen=True)
class PodEnd:
    """How one pod of an attempt ended."""

    pod: str
    rank: int
    exit_code: int | None
    """None: its container never ran, or nobody saw its end."""
    never_began: bool
    """It cannot have made a step: its container was never started, or was ended before the trainer was there."""
    container_reason: str
    disruption: str | None
    """Reason of DisruptionTarget."""
    was_deleted: bool
    time: Time | None
    said: TerminationMessage | None


@dataclass(frozen=True)
class Observed:
    """One TrainingJob and all that belongs to it."""

    job: TrainingJob
    now: datetime
    current: Job | None = None
    """The Job of the attempt that status counts."""
    past: tuple[Job, ...] = ()
    """Jobs of earlier attempts, oldest first."""
    pods: tuple[Pod, ...] = ()
    """Pods of the current attempt that are not over."""
    leftovers: tuple[Pod, ...] = ()
    """Pods under the same name that are not over and belong to any other attempt."""
    ends: tuple[PodEnd, ...] = ()
    """Of the current attempt."""
    report: Progress | None = None
    """The newest word of the current attempt's rank 0."""
    pods_are_fresh: bool = False
    """The pods were read from the API server for this pass."""
    lost_nodes: tuple[str, ...] = ()

    @property
    def spec(self) -> TrainingJobSpec:
        return self.job.spec

    @property
    def status(self) -> TrainingJobStatus:
        return self.job.status

    @property
    def name(self) -> str:
        return self.job.metadata.name

    @property
    def digest(self) -> str:
        """Of the spec that a new attempt would be made from."""
        return spec_digest(self.spec)

    @property
    def attempt_is_open(self) -> bool:
        """A number was given out and its end is not recorded."""
        reference = self.status.job
        return reference is not None and reference.end is None

    @property
    def recorded_uid(self) -> str | None:
        return self.status.job.uid if self.status.job else None

    @property
    def attempt_is_over(self) -> bool:
        """No pod is left, and the Job is over, or was seen once and is gone."""
        if self.pods:
            return False
        return self.current.is_over if self.current else self.recorded_uid is not None

    @property
    def every_end_is_known(self) -> bool:
        return len({end.rank for end in self.ends}) >= self.spec.nodes

    @property
    def has_started(self) -> bool:
        """Every node's container runs, or has run."""
        started = {pod.rank for pod in self.pods if pod.has_started} | {end.rank for end in self.ends}
        return len(started) >= self.spec.nodes

    @property
    def has_stepped(self) -> bool:
        """Rank 0 is beyond starting."""
        return self.report is not None and self.report.state not in (State.STARTING, State.RESTORING)

    @property
    def total_deadline(self) -> datetime | None:
        seconds, start = self.spec.deadlines.total_seconds, self.status.start_time
        return start + timedelta(seconds=seconds) if seconds is not None and start is not None else None

    @property
    def is_past_total_deadline(self) -> bool:
        return self.total_deadline is not None and self.now >= self.total_deadline

    @property
    def start_deadline(self) -> datetime | None:
        """When the first step is overdue; None when it was made, or when nobody can tell.

        Without a word from a rank 0 that runs with all its peers only the trainer knows; it keeps the deadline itself.
        So it does where a program decides when its start begins.
        """
        starts = [pod.start_time for pod in self.pods if pod.start_time]
        only_the_trainer_knows = self.report is None or self.spec.script is not None
        if not starts or self.has_stepped or (self.has_started and only_the_trainer_knows):
            return None
        return min(starts) + timedelta(seconds=self.spec.deadlines.start_seconds)

    @property
    def failure_is_on_record(self) -> bool:
        """This attempt was judged before its pods were ended: it started too late."""
        failure = self.status.last_failure
        return self.attempt_is_open and failure is not None and failure.attempt == self.status.attempt

    @property
    def overdue_pods(self) -> tuple[Pod, ...]:
        """Pods that should have ended more than a minute ago."""
        limit = self.now - timedelta(seconds=60)
        ending = (*self.pods, *self.leftovers)
        return tuple(p for p in ending if p.metadata.deletion_timestamp and p.metadata.deletion_timestamp < limit)

    @property
    def suspect_nodes(self) -> tuple[str, ...]:
        """Nodes that may be lost, judged by their pods."""
        suspects = {p.spec.node_name for p in (*self.pods, *self.leftovers) if p.seems_cut_off}
        return tuple(sorted(suspects | {p.spec.node_name for p in self.overdue_pods} - {""}))


def observe(
    job: TrainingJob,
    view: View,
    now: datetime,
    report: Progress | None = None,
    *,
    pods_are_fresh: bool = False,
) -> Observed:
    """Sort what the store shows under the job's name into buckets."""
    ours = sorted((j for j in view.jobs if j.owner == job.metadata.uid), key=lambda j: j.attempt)
    current = next((j for j in ours if _is_current(j, job)), None)
    recorded = job.status.job.uid if job.status.job else None
    job_uid = current.uid if current else recorded
    live = [pod for pod in view.pods if not pod.is_over and pod.job_uid is not None]
    ended = [pod for pod in view.pods if pod.is_over] + list(view.gone_pods)
    return Observed(
        job=job,
        now=now,
        current=current,
        past=tuple(j for j in ours if j.attempt < job.status.attempt),
        pods=tuple(sorted((pod for pod in live if pod.job_uid == job_uid), key=lambda pod: pod.rank)),
        leftovers=tuple(pod for pod in live if pod.job_uid != job_uid),
        ends=tuple(pod_end(pod, job) for pod in ended if job_uid and pod.job_uid == job_uid),
        report=report if report and _is_about(report, job) else None,
        pods_are_fresh=pods_are_fresh,
    )


def _is_current(child: Job, job: TrainingJob) -> bool:
    reference, attempt = job.status.job, job.status.attempt
    if reference is None or child.name != attempt_name(job.metadata.name, attempt) or child.attempt != attempt:
        return False
    return reference.uid in (None, child.uid)


def _is_about(report: Progress, job: TrainingJob) -> bool:
    return (report.uid, report.attempt) == (job.metadata.uid, job.status.attempt)


def pod_end(pod: Pod, job: TrainingJob) -> PodEnd:
    """What a pod that is over or gone left behind."""
    terminated = pod.container.terminated
    message = terminated.message if terminated else None
    # The trainer takes care of SIGTERM before anything else: it never ends by it once it is there.
    ended_too_early = terminated is not None and terminated.exit_code == _SIGTERM and not message
    return PodEnd(
        pod=pod.name,
        rank=pod.rank,
        exit_code=terminated.exit_code if terminated else None,
        never_began=not pod.has_started or ended_too_early,
        container_reason=terminated.reason if terminated else "",
        disruption=pod.disruption,
        was_deleted=pod.is_being_deleted,
        time=terminated.finished_at if terminated else None,
        said=parse_termination_message(message, job.metadata.uid, job.status.attempt),
    )
