"""A pod as its kubelet and the scheduler describe it."""

from typing import Annotated

from pydantic import Field

from training_operator.children.metadata import (
    INDEX_LABEL,
    JOB_UID_LABEL,
    Child,
    Condition,
    Word,
    condition,
    of_types,
    true_condition,
    value,
)
from trainingjob_api.base import Time
from trainingjob_api.contract import CONTAINER_NAME

NODE_FORGOT = frozenset({"ContainerStatusUnknown", "Unknown"})
"""The kubelet's words for a container that it cannot find, such as after a reboot."""


@value
class Terminated:
    exit_code: int
    reason: Word = ""
    message: str = ""
    finished_at: Time | None = None


@value
class Waiting:
    reason: Word = ""
    message: str = ""


@value
class Running:
    started_at: Time | None = None


@value
class ContainerState:
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


@value
class ContainerStatus:
    name: Word
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


@value
class PodSpec:
    node_name: Word = ""


@value
class PodStatus:
    phase: Word = "Pending"
    reason: Word = ""
    message: str = ""
    pod_ip: str = Field(default="", alias="podIP")
    conditions: Annotated[
        tuple[Condition, ...], of_types("PodScheduled", "Ready", "ContainersReady", "DisruptionTarget")
    ] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


_NOTHING = ContainerStatus(name=CONTAINER_NAME)


@value
class Pod(Child):
    """One node of an attempt."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def job_uid(self) -> str | None:
        """Of the Job that made it, also when that was taken from above it."""
        return self.metadata.owner_of_kind("Job") or self.metadata.labels.get(JOB_UID_LABEL)

    @property
    def is_orphaned(self) -> bool:
        return self.metadata.owner_of_kind("Job") is None

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
    def left_containers(self) -> tuple[str, ...]:
        """Containers that run on although the trainer's has ended, such as a proxy that was injected."""
        if self.is_over or self.container.terminated is None:
            return ()
        return tuple(status.name for status in self.status.container_statuses if status.state.running is not None)

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
