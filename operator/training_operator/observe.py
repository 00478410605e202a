"""What is known about one TrainingJob at one moment: a frozen value, children sorted into named buckets once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from training_operator.attempt import Attempt, pod_end
from training_operator.builders.metadata import spec_digest
from training_operator.children import Job, Pod
from training_operator.store import View
from trainingjob_api.contract import attempt_name
from trainingjob_api.progress import Progress
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import TrainingJobStatus

OVERDUE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class Observed:
    """One TrainingJob and all that belongs to it."""

    job: TrainingJob
    now: datetime
    attempt: Attempt = field(default_factory=Attempt)
    past: tuple[Job, ...] = ()
    """Jobs of earlier attempts, oldest first."""
    leftovers: tuple[Pod, ...] = ()
    """Pods under the same name that are not over and belong to any other attempt."""
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
    def failure_is_on_record(self) -> bool:
        """This attempt was judged before its pods were ended: it started too late."""
        failure = self.status.last_failure
        return self.attempt.is_open and failure is not None and failure.attempt == self.status.attempt

    @property
    def live_pods(self) -> tuple[Pod, ...]:
        return *self.attempt.pods, *self.leftovers

    @property
    def overdue_pods(self) -> tuple[Pod, ...]:
        """Pods that should have ended more than a minute ago."""
        limit = self.now - OVERDUE_AFTER
        return tuple(
            pod for pod in self.live_pods if pod.metadata.deletion_timestamp and pod.metadata.deletion_timestamp < limit
        )

    @property
    def suspect_nodes(self) -> tuple[str, ...]:
        """Nodes that may be lost, judged by their pods."""
        suspects = {pod.spec.node_name for pod in self.live_pods if pod.seems_cut_off}
        return tuple(sorted(suspects | {pod.spec.node_name for pod in self.overdue_pods} - {""}))


def observe(
    job: TrainingJob,
    view: View,
    now: datetime,
    report: Progress | None = None,
    *,
    pods_are_fresh: bool = False,
) -> Observed:
    """Sort what the store shows under the job's name into buckets."""
    ours = sorted((child for child in view.jobs if child.owner == job.metadata.uid), key=lambda child: child.attempt)
    current = next((child for child in ours if _is_current(child, job)), None)
    recorded = job.status.job.uid if job.status.job else None
    job_uid = current.uid if current else recorded
    live = [pod for pod in view.pods if not pod.is_over and pod.job_uid is not None]
    ended = [pod for pod in view.pods if pod.is_over] + list(view.gone_pods)
    return Observed(
        job=job,
        now=now,
        attempt=Attempt(
            number=job.status.attempt,
            nodes=job.spec.nodes,
            reference=job.status.job,
            job=current,
            pods=tuple(sorted((pod for pod in live if pod.job_uid == job_uid), key=lambda pod: pod.rank)),
            ends=tuple(pod_end(pod, job) for pod in ended if job_uid and pod.job_uid == job_uid),
            report=report if report and _is_about(report, job) else None,
        ),
        past=tuple(child for child in ours if child.attempt < job.status.attempt),
        leftovers=tuple(pod for pod in live if pod.job_uid != job_uid),
        pods_are_fresh=pods_are_fresh,
    )


def _is_current(child: Job, job: TrainingJob) -> bool:
    reference, attempt = job.status.job, job.status.attempt
    if reference is None or child.name != attempt_name(job.metadata.name, attempt) or child.attempt != attempt:
        return False
    return reference.uid in (None, child.uid)


def _is_about(report: Progress, job: TrainingJob) -> bool:
    return (report.uid, report.attempt) == (job.metadata.uid, job.status.attempt)
