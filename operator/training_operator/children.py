"""Jobs and pods as the API server shows them, read once into frozen models.

Only what decisions need is kept; everything after this module asks in plain English.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from trainingjob_api.base import Report, Time
from trainingjob_api.contract import ATTEMPT_LABEL, CONTAINER_NAME, DIGEST_ANNOTATION, JOB_NAME_LABEL

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
NODE_FORGOT = frozenset({"ContainerStatusUnknown", "Unknown"})
"""The kubelet's words for a container that it cannot find, such as after a reboot."""


class Owner(Report):
    kind: str
    uid: str
    controller: bool = False


class ObjectMeta(Report):
    """What we use of a child's metadata."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None

    def owner_of_kind(self, kind: str) -> str | None:
        """UID of the controller of this kind, None when another or nobody controls the object."""
        return next((o.uid for o in self.owner_references if o.controller and o.kind == kind), None)


class Condition(Report):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None


def condition(conditions: tuple[Condition, ...], type: str) -> Condition | None:
    return next((c for c in conditions if c.type == type), None)


def true_condition(conditions: tuple[Condition, ...], type: str) -> Condition | None:
    """The condition if it is True."""
    found = condition(conditions, type)
    return found if found is not None and found.status == "True" else None


class Child(Report):
    """What Jobs and pods have in common."""

    metadata: ObjectMeta

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name of the TrainingJob that the label names."""
        return self.metadata.namespace, self.metadata.labels.get(JOB_NAME_LABEL, "")

    @property
    def attempt(self) -> int:
        """The attempt that the label names; 0 when it names none."""
        label = self.metadata.labels.get(ATTEMPT_LABEL, "")
        return int(label) if label.isdecimal() else 0

    @property
    def is_being_deleted(self) -> bool:
        return self.metadata.deletion_timestamp is not None


class JobSpec(Report):
    suspend: bool = False


class JobStatus(Report):
    conditions: tuple[Condition, ...] = ()
    active: int = 0
    terminating: int = 0


class JobEnd(Report):
    """What a failed Job's condition says about the pod that failed it."""

    pod: str
    exit_code: int | None = None
    is_disruption: bool = False


_EXIT = re.compile(r"for pod [^/\s]+/(?P<pod>\S+) failed with exit code (?P<code>\d+) matching FailJob rule")
_DISRUPTION = re.compile(r"[Pp]od [^/\s]+/(?P<pod>\S+) has condition DisruptionTarget matching FailJob rule")


class Job(Child):
    """One attempt's Job."""

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    @property
    def owner(self) -> str | None:
        return self.metadata.owner_of_kind("TrainingJob")

    @property
    def digest(self) -> str:
        """Of the spec that the attempt was made from."""
        return self.metadata.annotations.get(DIGEST_ANNOTATION, "")

    @property
    def is_suspended(self) -> bool:
        return self.spec.suspend

    @property
    def has_let_go(self) -> bool:
        """Suspended, and the Job controller says that it has no pod left."""
        acknowledged = true_condition(self.status.conditions, "Suspended") is not None
        return self.is_suspended and acknowledged and not self.status.active and not self.status.terminating

    @property
    def waits_for_queue(self) -> bool:
        return self.is_suspended and QUEUE_LABEL in self.metadata.labels

    @property
    def is_complete(self) -> bool:
        return true_condition(self.status.conditions, "Complete") is not None

    @property
    def failure(self) -> Condition | None:
        """Why the Job failed, once every pod of it has ended."""
        return true_condition(self.status.conditions, "Failed")

    @property
    def is_failing(self) -> bool:
        """A pod has ended badly; the others are being ended."""
        return self.failure is not None or true_condition(self.status.conditions, "FailureTarget") is not None

    @property
    def is_over(self) -> bool:
        return self.is_complete or self.failure is not None or self.has_let_go

    @property
    def end(self) -> JobEnd | None:
        """The first pod that failed and its code, when a rule of podFailurePolicy matched it."""
        message = self.failure.message if self.failure else ""
        if match := _EXIT.search(message):
            return JobEnd(pod=match["pod"], exit_code=int(match["code"]))
        if match := _DISRUPTION.search(message):
            return JobEnd(pod=match["pod"], is_disruption=True)
        return None


class Terminated(Report):
    exit_code: int
    reason: str = ""
    message: str = ""
    finished_at: Time | None = None


class Waiting(Report):
    reason: str = ""
    message: str = ""


class Running(Report):
    started_at: Time | None = None


class ContainerState(Report):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Report):
    name: str
    container_id: str = Field(default="", alias="containerID")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()

    @property
    def has_started(self) -> bool:
        """Of a pod stopped before it had a container the kubelet says that one was lost, which no runtime has named."""
        ended = self.state.terminated
        if ended is not None and ended.reason in NODE_FORGOT:
            return bool(self.container_id) or self.last_state.terminated is not None
        return ended is not None or self.state.running is not None


class PodSpec(Report):
    node_name: str = ""


class PodStatus(Report):
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    pod_ip: str = Field(default="", alias="podIP")
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


_NOTHING = ContainerStatus(name=CONTAINER_NAME)


class Pod(Child):
    """One node of an attempt."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def job_uid(self) -> str | None:
        return self.metadata.owner_of_kind("Job")

    @property
    def rank(self) -> int:
        index = self.metadata.labels.get(INDEX_LABEL, "")
        return int(index) if index.isdecimal() else 0

    @property
    def container(self) -> ContainerState:
        return self._container.state

    @property
    def _container(self) -> ContainerStatus:
        return next((c for c in self.status.container_statuses if c.name == CONTAINER_NAME), _NOTHING)

    @property
    def is_over(self) -> bool:
        """Nothing of it runs any more."""
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def is_running(self) -> bool:
        return not self.is_over and self.container.running is not None

    @property
    def has_started(self) -> bool:
        return self._container.has_started

    @property
    def start_time(self) -> Time | None:
        return self.container.running.started_at if self.container.running else None

    @property
    def is_scheduled(self) -> bool:
        return bool(self.spec.node_name)

    @property
    def unschedulable(self) -> str | None:
        """The scheduler's words when it finds no node."""
        scheduled = condition(self.status.conditions, "PodScheduled")
        if scheduled is None or scheduled.status != "False" or scheduled.reason != "Unschedulable":
            return None
        return scheduled.message

    @property
    def disruption(self) -> str | None:
        """Reason of the DisruptionTarget condition: a drain, a preemption, a node that went away."""
        target = true_condition(self.status.conditions, "DisruptionTarget")
        return target.reason if target else None

    @property
    def seems_cut_off(self) -> bool:
        """The node lifecycle controller marks pods of a silent node unready; their containers' word is the last one."""
        ready = condition(self.status.conditions, "Ready")
        containers = condition(self.status.conditions, "ContainersReady")
        if self.is_over or ready is None or containers is None:
            return False
        return self.status.reason == "NodeLost" or (ready.status != "True" and containers.status == "True")


def read_job(raw: dict[str, Any]) -> Job:
    return Job.model_validate(raw)


def read_pod(raw: dict[str, Any]) -> Pod:
    return Pod.model_validate(raw)
