"""One attempt: what status says of it, its Job, its pods, their ends, and the newest word of its rank 0."""

from dataclasses import dataclass
from datetime import datetime

from training_operator.children import Job, Pod
from trainingjob_api.base import Time
from trainingjob_api.progress import Progress, State, TerminationMessage, parse_termination_message
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import JobReference

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
class Attempt:
    """The attempt that status counts; number 0: none yet."""

    number: int = 0
    nodes: int = 1
    reference: JobReference | None = None
    job: Job | None = None
    pods: tuple[Pod, ...] = ()
    """Those that are not over."""
    ends: tuple[PodEnd, ...] = ()
    report: Progress | None = None
    """The newest word of its rank 0."""

    @property
    def is_open(self) -> bool:
        """A number was given out and its end is not recorded."""
        return self.reference is not None and self.reference.end is None

    @property
    def is_over(self) -> bool:
        """No pod is left, and the Job is over, or was seen once and is gone."""
        if self.pods:
            return False
        return self.job.is_over if self.job else self.recorded_uid is not None

    @property
    def recorded_uid(self) -> str | None:
        return self.reference.uid if self.reference else None

    @property
    def every_end_is_known(self) -> bool:
        return len({end.rank for end in self.ends}) >= self.nodes

    @property
    def has_started(self) -> bool:
        """Every node's container runs, or has run."""
        started = {pod.rank for pod in self.pods if pod.has_started} | {end.rank for end in self.ends}
        return len(started) >= self.nodes

    @property
    def has_stepped(self) -> bool:
        """Rank 0 is beyond starting."""
        return self.report is not None and self.report.state not in (State.STARTING, State.RESTORING)

    @property
    def first_start(self) -> datetime | None:
        """When the first of its containers began to run."""
        return min((pod.start_time for pod in self.pods if pod.start_time), default=None)


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
