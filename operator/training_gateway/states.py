"""The one word that says how a training goes, made from its status. Pure."""

from training_gateway.words import snake
from trainingjob_api.status import ConditionType, Phase, Reason
from trainingjob_client.job import Job

COMPLETED, EARLY_STOPPED, FAILED, DELETED = "completed", "early_stopped", "failed", "deleted"
STATES = (
    *(snake(phase).lower() for phase in Phase if phase not in (Phase.SUCCEEDED, Phase.FAILED)),
    *(COMPLETED, EARLY_STOPPED, FAILED),
)


def state_of(job: Job) -> str:
    """A phase in lower case; Succeeded is completed or early_stopped."""
    if job.phase != Phase.SUCCEEDED:
        return snake(job.phase).lower()
    complete = job.status.condition(ConditionType.COMPLETE)
    return EARLY_STOPPED if complete is not None and complete.reason == Reason.EARLY_STOPPED else COMPLETED
