"""What keeps a TrainingJob from going its way, and what of it the pods themselves show. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from training_operator.children import Pod
from training_operator.observe import Observed
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import Reason

PATIENCE = timedelta(seconds=30)
"""How long creating pods and mounting volumes may take before it is worth a word."""
SCHEDULING_PATIENCE = timedelta(seconds=5)
"""A pod waits for a moment while its claim is bound."""

PULL_PATIENCE = timedelta(seconds=60)
"""How long pulling an image may fail before a person is called."""

_PULLING = {"ImagePullBackOff", "ErrImagePull", "RegistryUnavailable"}
_IMAGE = {"InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CONTAINER = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


@dataclass(frozen=True)
class Obstacle:
    """A reason and a message that a person can act on."""

    reason: Reason
    message: str
    needs_a_person: bool = True
    """False: time alone may remove it."""


class BlockedError(Exception):
    """An action cannot be carried out before the obstacle is gone."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.message)
        self.obstacle = obstacle


def before_start(observed: Observed) -> Obstacle | None:
    """The first thing that holds an attempt up; None while all goes its way."""
    now = observed.now
    pods = observed.attempt.pods
    obstacles = (_scheduling(pod, now) or _container(pod, now) or _volumes(pod, observed) for pod in pods)
    return next((obstacle for obstacle in obstacles if obstacle is not None), None) or _missing_pods(observed)


def hindering(observed: Observed) -> Obstacle | None:
    """What stands in the way whatever the situation is."""
    return _unreadable(observed) or _lost_node(observed)


def _unreadable(observed: Observed) -> Obstacle | None:
    if not observed.unreadable:
        return None
    return Obstacle(Reason.UNREADABLE_CHILD, f"Cannot be read, so it is left out: {'; '.join(observed.unreadable[:3])}")


def orphans(observed: Observed) -> Obstacle | None:
    """Pods without a Job cannot be ended through it."""
    pods = observed.attempt.orphans
    if not pods:
        return None
    words = f"{names_of(pods)} ran on when the Job was deleted without them: kubectl delete pod {pods[0].name}"
    return Obstacle(Reason.ORPHANED_PODS, words)


def lingering(observed: Observed) -> Obstacle | None:
    """The trainer has ended, but its pod has not."""
    pods = observed.attempt.lingering
    if not pods:
        return None
    words = (
        f"Pod {pods[0].name}: the trainer has ended, but {_containers(pods[0])} runs on. A container that serves"
        " others belongs into initContainers with restartPolicy: Always"
    )
    return Obstacle(Reason.CONTAINER_LEFT, words, needs_a_person=False)


def _containers(pod: Pod) -> str:
    return ", ".join(f"container {name}" for name in pod.left_containers)


def _lost_node(observed: Observed) -> Obstacle | None:
    """A node that does not answer: nobody can know whether its pods still run."""
    if not observed.lost_nodes:
        return None
    nodes = ", ".join(observed.lost_nodes)
    return Obstacle(
        Reason.NODE_LOST,
        f"Node {nodes} does not answer. The attempt goes on when it is back. If the machine is off for good:"
        f" kubectl delete node {observed.lost_nodes[0]}",
    )


def overdue(observed: Observed) -> Obstacle | None:
    """Pods that are a minute over their grace period."""
    pods = observed.overdue_pods
    if not pods:
        return None
    left = next((pod for pod in pods if pod.left_containers), None)
    if left is not None:
        words = f"Pod {left.name} should have ended, but {_containers(left)} runs on: kubectl describe pod {left.name}"
        return Obstacle(Reason.CONTAINER_LEFT, words)
    node = pods[0].spec.node_name
    message = f"{names_of(pods)} should have ended; look at node {node} and its kubelet."
    return Obstacle(Reason.STILL_TERMINATING, message)


def names_of(pods: tuple[Pod, ...]) -> str:
    names = ", ".join(f"pod {pod.name}" for pod in pods[:3])
    return f"{names} and {len(pods) - 3} more" if len(pods) > 3 else names


def moments(observed: Observed) -> tuple[datetime, ...]:
    """When patience ends: time alone may change the answer then."""
    births = [pod.metadata.creation_timestamp for pod in observed.attempt.pods if not pod.has_started]
    if len(observed.attempt.pods) < observed.spec.nodes:
        births.append(observed.attempt.began)
    patiences = (SCHEDULING_PATIENCE, PATIENCE, PULL_PATIENCE)
    ends = (birth + patience for birth in births if birth for patience in patiences)
    return tuple(end for end in ends if end > observed.now)


def _missing_pods(observed: Observed) -> Obstacle | None:
    attempt = observed.attempt
    job, missing = attempt.job, observed.spec.nodes - len(attempt.pods) - len(attempt.ends)
    if job is None or missing <= 0 or not _has_passed(PATIENCE, attempt.began, observed.now):
        return None
    gets = "no pod" if not attempt.pods else f"only {len(attempt.pods)} of {observed.spec.nodes} pods"
    return Obstacle(
        Reason.FORBIDDEN,
        f"Job {job.name} gets {gets}; a quota, an admission policy or a missing service account may refuse"
        f" {'it' if not attempt.pods else 'the others'}: kubectl describe job {job.name}",
    )


def _scheduling(pod: Pod, now: datetime) -> Obstacle | None:
    words = pod.unschedulable
    if words is None or not _has_passed(SCHEDULING_PATIENCE, pod.metadata.creation_timestamp, now):
        return None
    if "persistentvolumeclaim" in words and "not found" in words:
        return Obstacle(Reason.VOLUME_MISSING, f"Pod {pod.name}: {words}")
    # A node may become free, or be added.
    return Obstacle(Reason.UNSCHEDULABLE, f"Pod {pod.name}: {words}", needs_a_person=False)


def _container(pod: Pod, now: datetime) -> Obstacle | None:
    waiting = pod.container.waiting
    if waiting is None:
        return None
    words = f"Pod {pod.name}: {waiting.message or waiting.reason}"
    if waiting.reason in _PULLING:
        # A registry may be away for a moment; the kubelet tries again.
        is_old = _has_passed(PULL_PATIENCE, pod.metadata.creation_timestamp, now)
        return Obstacle(Reason.IMAGE_PULL_FAILED, words, needs_a_person=is_old)
    if waiting.reason in _IMAGE:
        return Obstacle(Reason.IMAGE_PULL_FAILED, words)
    if waiting.reason in _CONTAINER:
        return Obstacle(Reason.CONTAINER_NOT_CREATED, words)
    return None


def _volumes(pod: Pod, observed: Observed) -> Obstacle | None:
    """A kubelet that cannot mount a volume says so in an event only; what the pod mounts is known, though."""
    if (
        pod.is_running
        or not pod.is_scheduled
        or not _has_passed(PATIENCE, pod.metadata.creation_timestamp, observed.now)
    ):
        return None
    volumes = ", ".join(_volume_names(observed.spec))
    return Obstacle(
        Reason.CONTAINER_NOT_CREATED,
        f"Pod {pod.name} waits for its volumes ({volumes}) or its image: kubectl describe pod {pod.name}",
        needs_a_person=False,
    )


def _has_passed(patience: timedelta, since: datetime | None, now: datetime) -> bool:
    return since is not None and now - since >= patience


def _volume_names(spec: TrainingJobSpec) -> list[str]:
    claim = spec.checkpoint.volume.claim_name
    shared = " (of several nodes: must be ReadWriteMany)" if spec.nodes > 1 else ""
    names = [f"claim {claim}{shared}"] if claim else []
    for volume in spec.pod.volumes or []:
        if volume.config_map:
            names.append(f"ConfigMap {volume.config_map.name}")
        elif volume.secret:
            names.append(f"Secret {volume.secret.secret_name}")
        elif volume.persistent_volume_claim:
            names.append(f"claim {volume.persistent_volume_claim.claim_name}")
    return names or ["checkpoints"]
