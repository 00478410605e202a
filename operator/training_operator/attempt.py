"""One attempt: what status says of it, its Job, its pods, their ends, and the newest word of its rank 0."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from training_operator.children import Job, Pod
from trainingjob_api.base import Time
from trainingjob_api.progress import Progress, State, TerminationMessage, parse_termination_message
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import JobReference

_SIGTERM = 143
_LONGEST_WORDS = 1024


@dataclass(frozen=True)
class Heard:
    """An answer of rank 0, and how many seconds ago it came."""

    progress: Progress
    age: float


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
    pod_reason: str = ""
    """The kubelet's, of the pod as a whole: Evicted, OutOfcpu, UnexpectedAdmissionError."""
    memory_limit: str = ""
    """Of the trainer's container."""
    words: str = ""
    """What the kubelet or the runtime said of it, where the trainer itself left no message."""


@dataclass(frozen=True)
class Attempt:
    """The attempt that status counts; number 0: none yet."""

    number: int = 0
    nodes: int = 1
    reference: JobReference | None = None
    job: Job | None = None
    job_uid: str | None = None
    """Of its Job, also when that is gone; None: nobody has seen one."""
    pods: tuple[Pod, ...] = ()
    """Those that are not over."""
    ends: tuple[PodEnd, ...] = ()
    earlier_ends: tuple[PodEnd, ...] = ()
    """Of pods from before a queue suspended its Job."""
    report: Progress | None = None
    """The newest word of its rank 0."""
    report_is_fresh: bool = True
    """False: rank 0 could not be reached for so long that nobody knows what it does now."""

    @property
    def is_open(self) -> bool:
        """A number was given out and its end is not recorded."""
        return self.reference is not None and self.reference.end is None

    @property
    def is_over(self) -> bool:
        """No pod is left, and the Job is over, or was seen once and is gone."""
        if self.pods:
            return False
        return self.job.is_over if self.job else self.job_uid is not None

    @property
    def began(self) -> datetime | None:
        """When its Job was let run."""
        return (self.job.status.start_time or self.job.metadata.creation_timestamp) if self.job else None

    @cached_property
    def every_end_is_known(self) -> bool:
        return len({end.rank for end in self.ends}) >= self.nodes

    @cached_property
    def has_started(self) -> bool:
        """Every node's container runs, or has run."""
        started = {pod.rank for pod in self.pods if pod.has_started} | {end.rank for end in self.ends}
        return len(started) >= self.nodes

    @property
    def is_partly_placed(self) -> bool:
        """Some nodes' containers run and wait for the others."""
        return not self.has_started and self.first_start is not None

    @property
    def has_stepped(self) -> bool:
        """Rank 0 is beyond starting."""
        return self.report is not None and self.report.state not in (State.STARTING, State.RESTORING)

    @cached_property
    def has_saved(self) -> bool:
        """A checkpoint of its own is on disk, as far as its pods have told."""
        told = [end.said.progress for end in self.ends if end.said and end.said.progress]
        words = [*told, *([self.report] if self.report else [])]
        return any(word.checkpoint is not None and word.checkpoint.attempt == self.number for word in words)

    @cached_property
    def first_start(self) -> datetime | None:
        """When the first of its containers began to run."""
        return min((pod.start_time for pod in self.pods if pod.start_time), default=None)

    @cached_property
    def last_start(self) -> datetime | None:
        """When the last of its containers began to run: since then all are there that a first step takes."""
        return max((pod.start_time for pod in self.pods if pod.start_time), default=None)

    @cached_property
    def orphans(self) -> tuple[Pod, ...]:
        """Pods that run on although their Job was taken from above them."""
        return tuple(pod for pod in self.pods if pod.is_orphaned)

    @cached_property
    def lingering(self) -> tuple[Pod, ...]:
        """Pods whose trainer has ended while another of their containers runs on."""
        return tuple(pod for pod in self.pods if pod.left_containers)

    @cached_property
    def lingers_since(self) -> datetime | None:
        """Since when it is only other containers that keep it: every trainer has ended, or one has failed."""
        ended = [pod.container.terminated for pod in self.lingering if pod.container.terminated]
        times = [each.finished_at for each in ended if each.finished_at]
        is_failed = any(each.exit_code != 0 for each in ended)
        return max(times) if times and (is_failed or len(ended) == len(self.pods)) else None


def pod_end(pod: Pod, job: TrainingJob, *, was_seen: bool = True) -> PodEnd:
    """What a pod that is over or gone left behind; was_seen: not only that it is no longer there."""
    terminated = pod.container.terminated
    message = terminated.message if terminated else ""
    said = parse_termination_message(message, job.metadata.uid, job.status.attempt)
    # The trainer takes care of SIGTERM before anything else: it never ends by it once it is there.
    ended_too_early = terminated is not None and terminated.exit_code == _SIGTERM and not message
    return PodEnd(
        pod=pod.name,
        rank=pod.rank,
        exit_code=terminated.exit_code if terminated else None,
        never_began=(was_seen and not pod.has_started) or ended_too_early,
        container_reason=terminated.reason if terminated else "",
        disruption=pod.disruption,
        was_deleted=pod.is_being_deleted,
        time=terminated.finished_at if terminated else None,
        said=said,
        pod_reason=pod.status.reason,
        memory_limit=_memory_limit(job),
        words=(pod.status.message or ("" if said else message))[:_LONGEST_WORDS],
    )


def _memory_limit(job: TrainingJob) -> str:
    resources = job.spec.pod.resources
    limits = resources.limits if resources else None
    return str((limits or {}).get("memory", ""))
