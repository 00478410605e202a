"""A Job as the Job controller and whoever suspends it have left it."""

import re
from dataclasses import field
from typing import Annotated, Any

from pydantic import BeforeValidator

from training_operator.children.metadata import Child, Condition, of_types, true_condition, value
from trainingjob_api.base import Time
from trainingjob_api.contract import DIGEST_ANNOTATION, QUEUE_LABEL, STOP_ANNOTATION


@value
class JobSpec:
    suspend: bool = False


@value
class JobStatus:
    conditions: Annotated[tuple[Condition, ...], of_types("Complete", "Failed", "FailureTarget", "Suspended")] = ()
    let_go: bool = False
    """It is suspended, and the Job controller says that it has no pod left."""
    start_time: Time | None = field(default=None, compare=False)
    """Anew each time that it is unsuspended, which is the news."""


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
        """Suspended, and the Job controller says that it has no pod left, or has given it up."""
        return self.is_suspended and (self.status.let_go or self.is_failing)

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
        """Of a suspended Job that it has given up the Job controller cannot say Failed: that takes a startTime."""
        if self.is_complete or self.failure is not None:
            return True
        return self.has_let_go and (self.is_failing or not self.is_held)

    @property
    def end(self) -> JobEnd | None:
        """The first pod that failed and its code, when a rule of podFailurePolicy matched it."""
        message = self.failure.message if self.failure else ""
        if match := _EXIT.search(message):
            return JobEnd(pod=match["pod"], exit_code=int(match["code"]))
        if match := _DISRUPTION.search(message):
            return JobEnd(pod=match["pod"], is_disruption=True)
        return None
