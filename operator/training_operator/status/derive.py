"""Observed + Plan -> the whole status. Pure; written only when it differs."""

from datetime import datetime
from typing import Literal

from training_operator.builders.service import service_name
from training_operator.observe import Observed
from training_operator.obstacle import Obstacle
from training_operator.plan import Plan
from training_operator.situation import Situation
from training_operator.status import reported
from training_operator.status.conditions import condition_of, conditions_of
from training_operator.status.summary import summary_of
from training_operator.status.transitions import with_transition
from trainingjob_api.progress import Progress
from trainingjob_api.status import ConditionType, TrainingJobStatus


def derive(observed: Observed, plan: Plan, met: Obstacle | None = None) -> TrainingJobStatus:
    """The status that should be there.

    A report alone changes it only when it is news and due; names and UIDs of children wait for the next change.
    """
    quiet = _derive(observed, plan, met, observed.status)
    report = observed.attempt.report if plan.situation is Situation.ACTIVE else None
    is_due = report is not None and _is_due(observed.status, report, observed.now)
    if not is_due and quiet == observed.status:
        return observed.status
    status = _with_children(observed)
    return _derive(observed, plan, met, reported.absorb(status, report, observed.now) if report else status)


def same(one: TrainingJobStatus, other: TrainingJobStatus) -> bool:
    """Whether writing the one over the other would change nothing."""
    return one == other or one.to_json_object() == other.to_json_object()


def is_routine(before: TrainingJobStatus, after: TrainingJobStatus) -> bool:
    """Whether only the numbers of a training change that goes on as before: then the write may wait."""
    if before.progress is None or after == before:
        return False
    numbers = {name: getattr(before, name) for name in ("progress", "metrics", "checkpoint")}
    return after.model_copy(update=numbers) == before


def has_ended(before: TrainingJobStatus, after: TrainingJobStatus) -> bool:
    """Whether the end of an attempt is new."""
    was_open = before.job is not None and before.job.end is None
    return was_open and after.job is not None and after.job.end is not None


def held_up(status: TrainingJobStatus, obstacle: Obstacle, generation: int, now: datetime) -> TrainingJobStatus:
    """The status of before, with what a pass has met that could not be brought to its end."""
    if status.is_finished:
        return status
    is_stalled = obstacle.needs_a_person
    told: dict[str, tuple[Literal["True", "False"], str]] = {
        ConditionType.READY: ("False", obstacle.message),
        ConditionType.RECONCILING: ("False", "") if is_stalled else ("True", obstacle.message),
        ConditionType.STALLED: ("True", obstacle.message) if is_stalled else ("False", ""),
    }
    others = [condition for condition in status.conditions if condition.type not in told]
    changed = [
        condition_of(type, word, obstacle.reason, message, status.condition(type), generation, now)
        for type, (word, message) in told.items()
    ]
    return status.model_copy(update={"observed_generation": generation, "conditions": [*changed, *others]})


def _is_due(status: TrainingJobStatus, report: Progress, now: datetime) -> bool:
    due = reported.due_time(status, report)
    return reported.is_news(status, report) and (due is None or now >= due)


def _derive(observed: Observed, plan: Plan, met: Obstacle | None, status: TrainingJobStatus) -> TrainingJobStatus:
    status = with_transition(status, observed, plan)
    summary = summary_of(observed, plan, status, met)
    return status.model_copy(
        update={
            "progress": status.progress if summary.is_running else reported.at_rest(status.progress),
            "observed_generation": observed.job.metadata.generation,
            "phase": summary.phase,
            "conditions": conditions_of(observed, status, summary),
        }
    )


def _with_children(observed: Observed) -> TrainingJobStatus:
    """Names what belongs to the attempt: the Job is made last, so where it is, all the others are."""
    status, job = observed.status, observed.attempt.job
    if job is None or status.job is None:
        return status
    template = observed.spec.checkpoint.volume.claim_template
    return status.model_copy(
        update={
            "job": status.job.model_copy(update={"uid": job.uid}),
            "service": service_name(observed.job) if observed.spec.nodes > 1 else status.service,
            "volume_claim": observed.job.checkpoint_claim if template else status.volume_claim,
        }
    )
