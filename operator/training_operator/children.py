"""Jobs and pods as the API server shows them, read once into frozen values.

Only what decisions need is kept, so that thousands fit into memory, and so that two values are equal when nothing that
matters differs. Everything after this module asks in plain English.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from trainingjob_api.base import Time
from trainingjob_api.contract import (
    ATTEMPT_LABEL,
    CONTAINER_NAME,
    DIGEST_ANNOTATION,
    JOB_NAME_LABEL,
    QUEUE_LABEL,
    STOP_ANNOTATION,
)

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
NODE_FORGOT = frozenset({"ContainerStatusUnknown", "Unknown"})
"""The kubelet's words for a container that it cannot find, such as after a reboot."""


T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field, Field))
def value(kind: type[T]) -> type[T]:
    """A frozen part of an object: it takes a fifth of a model's memory, and two are equal when their fields are."""
    config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    return cast("type[T]", dataclass(frozen=True, slots=True, kw_only=True, config=config)(kind))


Word = Annotated[str, AfterValidator(sys.intern)]
"""A string that many objects share."""


def _only(used: frozenset[str]) -> Any:
    """Of a mapping, the entries that are used."""
    return BeforeValidator(lambda given: {key: given[key] for key in used & (given or {}).keys()})


def _of_types(*used: str) -> Any:
    """Of a list of conditions, those that are used."""
    return BeforeValidator(lambda given: [one for one in given if isinstance(one, Condition) or one["type"] in used])


Labels = Annotated[
    Mapping[Word, Word], _only(frozenset({JOB_NAME_LABEL, ATTEMPT_LABEL, INDEX_LABEL, JOB_UID_LABEL, QUEUE_LABEL}))
]
Annotations = Annotated[Mapping[Word, str], _only(frozenset({DIGEST_ANNOTATION, STOP_ANNOTATION}))]


@value
class Owner:
    kind: Word
    uid: Word
    controller: bool = False


@value
class ObjectMeta:
    """What we use of a child's metadata."""

    name: str
    namespace: Word
    uid: str
    resource_version: str = field(compare=False)
    labels: Labels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None

    def owner_of_kind(self, kind: str) -> str | None:
        """UID of the controller of this kind, None when another or nobody controls the object."""
        return next((o.uid for o in self.owner_references if o.controller and o.kind == kind), None)


@value
class Condition:
    type: Word
    status: Word
    reason: Word = ""
    message: str = ""


def condition(conditions: tuple[Condition, ...], type: str) -> Condition | None:
    return next((c for c in conditions if c.type == type), None)


def true_condition(conditions: tuple[Condition, ...], type: str) -> Condition | None:
    """The condition if it is True."""
    found = condition(conditions, type)
    return found if found is not None and found.status == "True" else None


@value
class Child:
    """What Jobs and pods have in common."""

    metadata: ObjectMeta

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def version(self) -> int:
        return int(self.metadata.resource_version)

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


@value
class JobSpec:
    suspend: bool = False


@value
class JobStatus:
    conditions: Annotated[tuple[Condition, ...], _of_types("Complete", "Failed", "FailureTarget", "Suspended")] = ()
    let_go: bool = False
    """It is suspended, and the Job controller says that it has no pod left."""
    start_time: Time | None = None
    """Anew each time that it is unsuspended."""


def _without_counts(raw: Any) -> Any:
    """How many pods there are matters to a Job that is suspended, and would be news all the time to all others."""
    if isinstance(raw, JobStatus):
        return raw
    suspended = any(one["type"] == "Suspended" and one["status"] == "True" for one in raw.get("conditions") or ())
    return {**raw, "letGo": suspended and not raw.get("active") and not raw.get("terminating")}


@value
class JobEnd:
    """What a failed Job's condition says about the pod that failed it."""

    pod: str
    exit_code: int | None = None
    is_disruption: bool = False


_EXIT = re.compile(r"for pod [^/\s]+/(?P<pod>\S+) failed with exit code (?P<code>\d+) matching FailJob rule")
_DISRUPTION = re.compile(r"[Pp]od [^/\s]+/(?P<pod>\S+) has condition DisruptionTarget matching FailJob rule")


@value
class Job(Child):
    """One attempt's Job."""

    spec: JobSpec = JobSpec()
    status: Annotated[JobStatus, BeforeValidator(_without_counts)] = JobStatus()

    @property
    def owner(self) -> str | None:
        return self.metadata.owner_of_kind("TrainingJob")

    @property
    def digest(self) -> str:
        """Of the spec that the attempt was made from; empty where somebody has stripped our annotations."""
        return self.metadata.annotations.get(DIGEST_ANNOTATION, "")

    @property
    def is_suspended(self) -> bool:
        return self.spec.suspend

    @property
    def has_let_go(self) -> bool:
        """Suspended, and the Job controller says that it has no pod left."""
        return self.is_suspended and self.status.let_go

    @property
    def stopped_for(self) -> str | None:
        """Why the operator suspended it, if it did."""
        return self.metadata.annotations.get(STOP_ANNOTATION)

    @property
    def is_held(self) -> bool:
        """Suspended by somebody else, such as a queue."""
        return self.is_suspended and self.stopped_for is None

    @property
    def is_in_queue(self) -> bool:
        """Whoever suspends it is answered at once: a queue unsuspends what it has admitted."""
        return QUEUE_LABEL in self.metadata.labels

    @property
    def is_unwanted(self) -> bool:
        """May still make pods, or make them again, if nobody deletes it."""
        is_stopped = self.is_suspended and self.stopped_for is not None
        return not (self.is_over or self.is_being_deleted or is_stopped)

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
        return self.is_complete or self.failure is not None or (self.has_let_go and not self.is_held)

    @property
    def end(self) -> JobEnd | None:
        """The first pod that failed and its code, when a rule of podFailurePolicy matched it."""
        message = self.failure.message if self.failure else ""
        if match := _EXIT.search(message):
            return JobEnd(pod=match["pod"], exit_code=int(match["code"]))
        if match := _DISRUPTION.search(message):
            return JobEnd(pod=match["pod"], is_disruption=True)
        return None


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
        tuple[Condition, ...], _of_types("PodScheduled", "Ready", "ContainersReady", "DisruptionTarget")
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


_READ_METADATA, _READ_JOB, _READ_POD = TypeAdapter(ObjectMeta), TypeAdapter(Job), TypeAdapter(Pod)


def read_metadata(raw: dict[str, Any]) -> ObjectMeta:
    return _READ_METADATA.validate_python(raw["metadata"])


def read_job(raw: dict[str, Any]) -> Job:
    return _READ_JOB.validate_python(raw)


def read_pod(raw: dict[str, Any]) -> Pod:
    return _READ_POD.validate_python(raw)
