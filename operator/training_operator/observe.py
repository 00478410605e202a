"""What is known about one TrainingJob at one moment: a frozen value, children sorted into named buckets once."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from training_operator.attempt import Attempt, Heard, pod_end
from training_operator.builders.metadata import spec_digest
from training_operator.children import Job, Pod
from training_operator.store import View
from trainingjob_api.contract import attempt_name
from trainingjob_api.progress import Progress
from trainingjob_api.reading import problem_of
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import TrainingJobStatus

OVERDUE_AFTER = timedelta(seconds=60)
LIVED = timedelta(minutes=10)
"""An attempt that has told nothing, but ran for so long, was not in vain."""
FRESH_SECONDS = 60.0
"""Without an answer for longer, what rank 0 said last says nothing about now."""


@dataclass(frozen=True)
class Observed:
    """One TrainingJob and all that belongs to it."""

    job: TrainingJob
    now: datetime
    attempt: Attempt = field(default_factory=Attempt)
    others: tuple[Job, ...] = ()
    """Jobs of ours that are not the open attempt's, oldest first."""
    leftovers: tuple[Pod, ...] = ()
    """Pods under the same name that are not over and belong to anything else, whoever owns them."""
    problem: str | None = None
    """What this release does not understand of the TrainingJob: it begins nothing, and ends what it must."""
    unreadable: tuple[str, ...] = ()
    """Children that cannot be read, and why."""
    is_alone: bool = False
    """Nothing else has been known of its name: nobody has made pods for it that the watches have yet to show."""
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

    @cached_property
    def digest(self) -> str:
        """Of the spec that a new attempt would be made from."""
        return spec_digest(self.spec, self.job.metadata.restarted_at)

    @property
    def recorded_failure(self) -> str | None:
        """Why this attempt was judged before its pods were ended: it started too late, or in part."""
        failure = self.status.last_failure
        is_about = self.attempt.is_open and failure is not None and failure.attempt == self.status.attempt
        return failure.reason if failure and is_about else None

    @property
    def was_fruitful(self) -> bool:
        """The attempt has saved something; one that has told nothing ran for so long that it was not in vain."""
        attempt = self.attempt
        was_told = attempt.report is not None or any(end.said for end in attempt.ends)
        if was_told or self.recorded_failure is not None:  # to wait in vain for so long is no progress
            return attempt.has_saved
        return attempt.began is not None and self.now - attempt.began >= LIVED

    @property
    def unheard(self) -> "Observed":
        """The same without a word from the trainer."""
        ends = tuple(replace(end, said=None) for end in self.attempt.ends)
        return replace(self, attempt=replace(self.attempt, report=None, ends=ends))

    @cached_property
    def live_pods(self) -> tuple[Pod, ...]:
        return *self.attempt.pods, *self.leftovers

    @cached_property
    def makes_pods(self) -> bool:
        """There may be pods soon that are not the open attempt's, or are already and cannot be read."""
        return bool(self.unreadable) or any(job.is_unwanted for job in self.others)

    @cached_property
    def overdue_pods(self) -> tuple[Pod, ...]:
        """Pods that should have ended more than a minute ago."""
        limit = self.now - OVERDUE_AFTER
        return tuple(
            pod for pod in self.live_pods if pod.metadata.deletion_timestamp and pod.metadata.deletion_timestamp < limit
        )

    @cached_property
    def cut_off_nodes(self) -> frozenset[str]:
        """Nodes that do not answer any more, as their pods look."""
        return frozenset(pod.spec.node_name for pod in self.live_pods if pod.seems_cut_off)

    @cached_property
    def suspect_nodes(self) -> tuple[str, ...]:
        """Nodes that may be lost: whose pods end too late, or look cut off."""
        return tuple(sorted(self.cut_off_nodes | {pod.spec.node_name for pod in self.overdue_pods} - {""}))


def observe(
    job: TrainingJob,
    view: View,
    now: datetime,
    heard: Heard | None = None,
    *,
    pods_are_fresh: bool = False,
) -> Observed:
    """Sort what the store shows under the job's name into buckets."""
    ours = sorted((child for child in view.jobs if child.owner == job.metadata.uid), key=lambda child: child.attempt)
    attempt = _attempt(job, view, next((child for child in ours if _is_current(child, job)), None), heard)
    belong = {pod.uid for pod in attempt.pods}
    return Observed(
        job=job,
        now=now,
        attempt=attempt,
        others=tuple(child for child in ours if not (attempt.is_open and child is attempt.job)),
        leftovers=tuple(pod for pod in view.pods if not pod.is_over and pod.uid not in belong),
        problem=problem_of(job),
        unreadable=view.unreadable,
        is_alone=view.is_alone,
        pods_are_fresh=pods_are_fresh,
    )


def _attempt(job: TrainingJob, view: View, current: Job | None, heard: Heard | None) -> Attempt:
    job_uid = current.uid if current else _last_known_uid(job, view)
    is_about = heard is not None and _is_about(heard.progress, job)
    pods = [pod for pod in view.pods if not pod.is_over and _belongs(pod, job_uid)]
    ended = [pod for pod in view.pods if pod.is_over] + list(view.gone_pods)
    mine = [pod for pod in ended if _belongs(pod, job_uid)]
    ends = {pod.uid: pod_end(pod, job, was_seen=pod.uid not in view.vanished) for pod in mine}
    before = {pod.uid for pod in mine if _is_from_before(pod, current)}
    return Attempt(
        number=job.status.attempt,
        nodes=job.spec.nodes,
        reference=job.status.job,
        job=current,
        job_uid=job_uid,
        pods=tuple(sorted(pods, key=lambda pod: pod.rank)),
        ends=tuple(end for uid, end in ends.items() if uid not in before),
        earlier_ends=tuple(end for uid, end in ends.items() if uid in before),
        report=heard.progress if heard and is_about else None,
        report_is_fresh=heard is None or heard.age <= FRESH_SECONDS,
    )


def _last_known_uid(job: TrainingJob, view: View) -> str | None:
    """Of the attempt's Job, which is gone: as status has recorded it, or as the pods tell that it made."""
    reference, began = job.status.job, job.status.start_time
    if reference is None or reference.uid is not None:
        return reference.uid if reference else None
    made = [pod for pod in (*view.pods, *view.gone_pods) if pod.attempt == job.status.attempt and pod.job_uid]
    born = ((pod.job_uid, pod.metadata.creation_timestamp) for pod in made)
    return next((uid for uid, birth in born if birth and began and birth >= began), None)


def _belongs(pod: Pod, job_uid: str | None) -> bool:
    return job_uid is not None and pod.job_uid == job_uid


def _is_from_before(pod: Pod, job: Job | None) -> bool:
    """Whether a queue has suspended the Job since this pod was made."""
    if job is None or pod.metadata.creation_timestamp is None:
        return False
    if job.is_held:
        return not job.is_over
    start = job.status.start_time
    return start is not None and pod.metadata.creation_timestamp < start


def _is_current(child: Job, job: TrainingJob) -> bool:
    reference, attempt = job.status.job, job.status.attempt
    if reference is None or child.name != attempt_name(job.metadata.name, attempt) or child.attempt != attempt:
        return False
    return reference.uid in (None, child.uid)


def _is_about(report: Progress, job: TrainingJob) -> bool:
    return (report.uid, report.attempt) == (job.metadata.uid, job.status.attempt)
