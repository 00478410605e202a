"""Why an attempt's pods do not run yet, from what the pods themselves show. Pure."""

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

_IMAGE = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CONTAINER = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


@dataclass(frozen=True)
class Waiting:
    """What the pods wait for."""

    reason: Reason
    message: str
    needs_a_person: bool = True


def why_waiting(observed: Observed) -> Waiting | None:
    """The first thing that holds an attempt up; None while all goes its way."""
    if not observed.pods:
        return _without_pods(observed)
    now = observed.now
    waits = (_scheduling(pod, now) or _container(pod) or _volumes(pod, observed) for pod in observed.pods)
    return next((waiting for waiting in waits if waiting is not None), None)


def moments(observed: Observed) -> tuple[datetime, ...]:
    """When patience ends: time alone may change the answer then."""
    births = [pod.metadata.creation_timestamp for pod in observed.pods if not pod.has_started]
    if observed.current is not None and not observed.pods:
        births.append(observed.current.metadata.creation_timestamp)
    ends = (birth + patience for birth in births if birth for patience in (SCHEDULING_PATIENCE, PATIENCE))
    return tuple(end for end in ends if end > observed.now)


def _without_pods(observed: Observed) -> Waiting | None:
    job = observed.current
    began = job.metadata.creation_timestamp if job else None
    if job is None or observed.ends or not _has_passed(PATIENCE, began, observed.now):
        return None
    return Waiting(
        Reason.FORBIDDEN,
        f"Job {job.name} gets no pod; a quota, an admission policy or a missing service account may refuse it:"
        f" kubectl describe job {job.name}",
    )


def _scheduling(pod: Pod, now: datetime) -> Waiting | None:
    words = pod.unschedulable
    if words is None or not _has_passed(SCHEDULING_PATIENCE, pod.metadata.creation_timestamp, now):
        return None
    if "persistentvolumeclaim" in words and "not found" in words:
        return Waiting(Reason.VOLUME_MISSING, f"Pod {pod.name}: {words}")
    # A node may become free, or be added.
    return Waiting(Reason.UNSCHEDULABLE, f"Pod {pod.name}: {words}", needs_a_person=False)


def _container(pod: Pod) -> Waiting | None:
    waiting = pod.container.waiting
    if waiting is None:
        return None
    if waiting.reason in _IMAGE:
        return Waiting(Reason.IMAGE_PULL_FAILED, f"Pod {pod.name}: {waiting.message or waiting.reason}")
    if waiting.reason in _CONTAINER:
        return Waiting(Reason.CONTAINER_NOT_CREATED, f"Pod {pod.name}: {waiting.message or waiting.reason}")
    return None


def _volumes(pod: Pod, observed: Observed) -> Waiting | None:
    """A kubelet that cannot mount a volume says so in an event only; what the pod mounts is known, though."""
    if (
        pod.is_running
        or not pod.is_scheduled
        or not _has_passed(PATIENCE, pod.metadata.creation_timestamp, observed.now)
    ):
        return None
    volumes = ", ".join(_volume_names(observed.spec))
    return Waiting(
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
