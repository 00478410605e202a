"""What a caller gets to see: a TrainingJob as it was seen, its pods and its events. Frozen, and read leniently."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from trainingjob_api.contract import ATTEMPT_LABEL, CONTAINER_NAME, JOB_NAME_LABEL, TITLE_ANNOTATION
from trainingjob_api.reading import read_training_job
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import ConditionType, TrainingJobStatus

Raw = dict[str, Any]
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True)
class Job:
    """A TrainingJob as it was seen."""

    raw: Raw

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.raw["metadata"].get("namespace", "default"))

    @property
    def uid(self) -> str:
        return str(self.raw["metadata"].get("uid", ""))

    @property
    def version(self) -> str:
        return str(self.raw["metadata"].get("resourceVersion", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.raw["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.raw["metadata"].get("annotations") or {}

    @property
    def title(self) -> str:
        """What people call it, in any language; its name where nobody gave it another."""
        return self.annotations.get(TITLE_ANNOTATION) or self.name

    @property
    def created(self) -> datetime | None:
        return time_of(self.raw["metadata"].get("creationTimestamp"))

    @cached_property
    def model(self) -> TrainingJob:
        """The whole of it; what a newer release wrote and this one does not know is left out."""
        return read_training_job(self.raw)

    @property
    def spec(self) -> TrainingJobSpec:
        return self.model.spec

    @property
    def status(self) -> TrainingJobStatus:
        return self.model.status

    @property
    def phase(self) -> str:
        """Such as Running; Pending until the operator has said anything."""
        return str((self.raw.get("status") or {}).get("phase") or "Pending")

    @property
    def message(self) -> str:
        """What the operator says of it now."""
        told = (self.status.condition(kind) for kind in _TELLING)
        return next((condition.message for condition in told if condition and condition.status == "True"), "")

    @property
    def is_over(self) -> bool:
        """Complete or failed for good."""
        return self.status.is_finished

    @property
    def has_succeeded(self) -> bool:
        return self.status.is_true(ConditionType.COMPLETE)

    @property
    def is_suspended(self) -> bool:
        """A pause was asked for; whether it has come about, `is_paused` tells."""
        return bool((self.raw.get("spec") or {}).get("suspend"))

    @property
    def is_paused(self) -> bool:
        """Saved, and no pod is left."""
        return self.status.is_true(ConditionType.SUSPENDED)

    @property
    def is_running(self) -> bool:
        return self.status.is_true(ConditionType.RUNNING)

    @property
    def unseen_since(self) -> datetime | None:
        """When its spec was last written, if the operator has not looked at it since; None: it has."""
        metadata = self.raw["metadata"]
        if self.status.observed_generation >= int(metadata.get("generation") or 1):
            return None
        written = (
            time_of(each.get("time")) for each in metadata.get("managedFields") or () if not each.get("subresource")
        )
        return max((time for time in written if time), default=self.created)


_TELLING = (
    ConditionType.FAILED,
    ConditionType.COMPLETE,
    ConditionType.STALLED,
    ConditionType.SUSPENDED,
    ConditionType.RECONCILING,
    ConditionType.READY,
)


@dataclass(frozen=True)
class Page:
    """Some of the jobs; `next` is given to `list` for those that follow, empty when there are none."""

    items: tuple[Job, ...]
    next: str = ""
    version: str = ""


@dataclass(frozen=True)
class Change:
    """One thing that a watch has shown. SYNCED: all there is has been shown; it comes again after a loss of contact."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "SYNCED"]
    job: Job | None
    """None for SYNCED."""


@dataclass(frozen=True)
class Pod:
    """A pod of a TrainingJob as it was seen."""

    raw: Raw

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    @property
    def attempt(self) -> int:
        return int(self.raw["metadata"]["labels"].get(ATTEMPT_LABEL) or 0)

    @property
    def node_rank(self) -> int:
        """Which of the attempt's pods it is."""
        return int((self.raw["metadata"].get("annotations") or {}).get(INDEX_ANNOTATION) or 0)

    @property
    def phase(self) -> str:
        return str((self.raw.get("status") or {}).get("phase") or "Pending")

    @property
    def node(self) -> str:
        return str(self.raw["spec"].get("nodeName") or "")

    @property
    def started(self) -> datetime | None:
        return time_of((self.raw.get("status") or {}).get("startTime"))

    @property
    def container(self) -> Raw:
        """The state of the trainer's container; empty before there is one."""
        states = (self.raw.get("status") or {}).get("containerStatuses") or []
        return next((one.get("state") or {} for one in states if one["name"] == CONTAINER_NAME), {})

    @property
    def has_log(self) -> bool:
        return "running" in self.container or "terminated" in self.container

    @property
    def exit_code(self) -> int | None:
        ended = self.container.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    @property
    def waits_for(self) -> str:
        """Why its container does not run yet, as the kubelet or the scheduler say; empty: nothing is said."""
        waiting = self.container.get("waiting") or {}
        conditions = (self.raw.get("status") or {}).get("conditions") or []
        unplaced: Raw = next(
            (one for one in conditions if one["type"] == "PodScheduled" and one["status"] == "False"), {}
        )
        told = [unplaced.get("message"), waiting.get("message"), waiting.get("reason")]
        return next((str(text) for text in told if text), "")


@dataclass(frozen=True)
class Event:
    """Something that Kubernetes or the operator has noted."""

    time: datetime | None
    type: str
    """Normal or Warning."""
    reason: str
    message: str
    about: str
    """Such as Pod/digits-1-0-x7k2p."""
    count: int = 1


def event_of(raw: Raw) -> Event:
    series = raw.get("series") or {}
    time = series.get("lastObservedTime") or raw.get("lastTimestamp") or raw.get("eventTime")
    about = raw.get("involvedObject") or {}
    return Event(
        time_of(time or raw["metadata"].get("creationTimestamp")),
        str(raw.get("type") or "Normal"),
        str(raw.get("reason") or ""),
        str(raw.get("message") or "").strip(),
        f"{about.get('kind', '')}/{about.get('name', '')}",
        int(series.get("count") or raw.get("count") or 1),
    )


def time_of(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def labels_of(name: str) -> str:
    """The selector of everything that belongs to a job."""
    return f"{JOB_NAME_LABEL}={name}"
