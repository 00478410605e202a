"""A plan -> its summary: phase, reason and words for people, from which all conditions follow. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from training_operator import deadlines, obstacle
from training_operator.observe import Observed
from training_operator.obstacle import Obstacle, names_of
from training_operator.outcome import Ending, Verdict
from training_operator.plan import Plan
from training_operator.situation import Situation
from trainingjob_api.status import ConditionType, Phase, Reason, TrainingJobStatus


class Standing(Enum):
    """kstatus' three answers."""

    READY = auto()
    RECONCILING = auto()
    STALLED = auto()


@dataclass(frozen=True)
class Summary:
    """What is to be told."""

    phase: Phase
    standing: Standing
    reason: str
    message: str
    is_suspended: bool = False
    is_running: bool = False
    finished: ConditionType | None = None

    def held_up_by(self, obstacle: Obstacle | None) -> "Summary":
        """The same phase, but Stalled, or still Reconciling where time alone may help; what is finished stays so."""
        if obstacle is None or self.finished is not None:
            return self
        standing = Standing.STALLED if obstacle.needs_a_person else Standing.RECONCILING
        return Summary(self.phase, standing, obstacle.reason, obstacle.message)

    def misread(self, problem: str | None) -> "Summary":
        """What runs goes on and what is paused stays so, but somebody must know that nothing new will begin."""
        if problem is None or self.finished is not None or self.is_suspended:
            return self
        return replace(self, standing=Standing.STALLED, reason=Reason.INVALID_SPEC, message=problem)


def summary_of(observed: Observed, plan: Plan, status: TrainingJobStatus, met: Obstacle | None) -> Summary:
    """The summary of this pass; status is the one about to be written, but for its conditions; met: in acting."""
    summary = _SUMMARIES[plan.situation](observed, plan, status)
    return summary.held_up_by(met or obstacle.hindering(observed)).misread(observed.problem)


def _finished(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    """As it was told when it finished."""
    complete = status.condition(ConditionType.COMPLETE)
    if complete is not None and complete.status == "True":
        return _succeeded(complete.reason, complete.message)
    failed = status.condition(ConditionType.FAILED)
    return _failed(failed.reason, failed.message) if failed else _failed(Reason.UNKNOWN, "")


def _succeeded(reason: str, message: str) -> Summary:
    return Summary(Phase.SUCCEEDED, Standing.READY, reason, message, finished=ConditionType.COMPLETE)


def _failed(reason: str, message: str) -> Summary:
    return Summary(Phase.FAILED, Standing.STALLED, reason, message, finished=ConditionType.FAILED)


def _paused(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    if status.job is None or status.job.end != Reason.GRACE_EXCEEDED:
        return Summary(Phase.PAUSED, Standing.READY, Reason.PAUSED_BY_USER, pause_message(status), is_suspended=True)
    available = status.condition(ConditionType.CHECKPOINT_AVAILABLE)  # as it was before this pass
    failed = available is not None and available.reason == Reason.SAVE_FAILED
    why = available.message if available and failed else "The state could not be saved within deadlines.saveSeconds."
    reason = Reason.SAVE_FAILED if failed else Reason.GRACE_EXCEEDED
    return Summary(Phase.PAUSED, Standing.READY, reason, f"{why} {pause_message(status)}", is_suspended=True)


def pause_message(status: TrainingJobStatus) -> str:
    """What a pause saved and what it cost."""
    pause = status.pause
    if status.attempt == 0 or pause is None:
        return "Not started; set suspend: false to start."
    if pause.saved_step is None and pause.evidence is None:
        return "Nobody saw what was saved; the next attempt tells if it finds a checkpoint."
    if pause.saved_step is None and pause.lost_steps is None:
        return "The program does not report: what was lost is not known, and it will begin anew."
    if pause.saved_step is None:
        return "Nothing was saved; training will begin at step 0."
    lost = "" if pause.lost_steps is None else f", {pause.lost_steps} steps lost"
    return f"Step {pause.saved_step} is saved{lost}."


def _waiting_for_pods(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    phase = Phase.PENDING if status.attempt == 0 else Phase.RESTARTING
    if not observed.spec.wants_to_run:
        phase = Phase.PAUSING
    jobs = ", ".join(f"Job {job.name}" for job in observed.others if job.is_unwanted)
    words = f"Waiting until {names_of(observed.live_pods) or jobs} has ended."
    return _ending_pods(observed, phase, Reason.STILL_TERMINATING, words)


def _backing_off(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    failure = status.last_failure
    cause = f"Attempt {failure.attempt} ended: {failure.message}. " if failure else ""
    when = f"at {status.retry_time:%H:%M:%S} UTC" if status.retry_time else "now"
    message = f"{cause}Attempt {status.attempt + 1} begins {when}."
    return Summary(Phase.RESTARTING, Standing.RECONCILING, Reason.RESTARTING, message)


def _unreadable(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    phase = Phase.PENDING if status.attempt == 0 else Phase.RESTARTING
    return Summary(phase, Standing.STALLED, Reason.INVALID_SPEC, observed.problem or "")


def _starting(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    return Summary(Phase.STARTING, Standing.RECONCILING, Reason.STARTING, f"Attempt {status.attempt} is starting.")


def _queued(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    was_admitted = bool(observed.attempt.pods or observed.attempt.earlier_ends)
    reason = Reason.PAUSED_BY_QUEUE if was_admitted else Reason.WAITING_FOR_QUEUE
    name = status.job.name if status.job else ""
    ending = f" {names_of(observed.attempt.pods)} will save and end." if observed.attempt.pods else ""
    words = f"Job {name} is suspended by its queue, or by somebody else, and goes on when they let it.{ending}"
    return Summary(Phase.QUEUED, Standing.RECONCILING, reason, words)


def _active(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    attempt = observed.attempt
    if attempt.lingers_since is not None:
        words = f"Attempt {status.attempt} is ending."
        ending = Summary(Phase.RUNNING, Standing.RECONCILING, Reason.STILL_TERMINATING, words)
        return ending.held_up_by(obstacle.lingering(observed))
    if not attempt.has_started:
        return _starting(observed, plan, status).held_up_by(obstacle.before_start(observed))
    if _is_getting_ready(observed, status):
        return _starting(observed, plan, status)
    if attempt.report is not None and attempt.report.finishing is not None:
        message = f"Attempt {status.attempt} has trained to its end; status.progress.doing says what is left to do."
        return Summary(Phase.FINISHING, Standing.READY, Reason.FINISHING, message, is_running=True)
    nodes = observed.spec.nodes
    message = f"Attempt {status.attempt} is training on {nodes} {'node' if nodes == 1 else 'nodes'}."
    return Summary(Phase.RUNNING, Standing.READY, Reason.TRAINING, message, is_running=True)


def _is_getting_ready(observed: Observed, status: TrainingJobStatus) -> bool:
    """Its containers run, but it does not train yet; what is known to train does so also while it is not heard."""
    if observed.attempt.report is not None:
        return not observed.attempt.has_stepped
    return not status.is_true(ConditionType.RUNNING) and not deadlines.has_passed(
        deadlines.first_word(observed), observed
    )


def _late(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    failure = status.last_failure
    assert failure is not None  # it has just been recorded
    return Summary(Phase.RESTARTING, Standing.RECONCILING, failure.reason, failure.message)


def _stopping(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    held = obstacle.orphans(observed) if plan.stop is not None else None
    if plan.stop == Reason.PAUSED_BY_USER:
        words = "Saving, then the pods end."
        return _ending_pods(observed, Phase.PAUSING, Reason.SAVING_CHECKPOINT, words).held_up_by(held)
    return _ending_pods(
        observed, Phase.RESTARTING, plan.stop or Reason.STILL_TERMINATING, _why_stopping(observed, plan)
    ).held_up_by(held)


def _why_stopping(observed: Observed, plan: Plan) -> str:
    if plan.stop is None and observed.attempt.orphans:
        return f"{names_of(observed.attempt.orphans)} ran on when the Job was deleted; the attempt ends with them."
    failure = observed.status.last_failure
    if failure is not None and observed.recorded_failure is not None:
        return f"{failure.message}. The pods are ending."
    words: dict[str, str] = {
        Reason.SPEC_CHANGED: "The spec has changed, or a restart was asked for: saving, then a new attempt begins.",
        Reason.DEADLINE_EXCEEDED: "deadlines.totalSeconds have passed: saving, then the pods end.",
        Reason.CONTAINER_LEFT: "The trainer has ended; the containers beside it are being ended.",
    }
    return words.get(plan.stop or "", f"The pods of attempt {observed.status.attempt} are ending.")


def _ending_pods(observed: Observed, phase: Phase, reason: str, message: str) -> Summary:
    return Summary(phase, Standing.RECONCILING, reason, message).held_up_by(obstacle.overdue(observed))


def _ended(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Summary:
    ending = plan.ending
    assert ending is not None
    match ending.verdict:
        case Verdict.COMPLETE:
            return _succeeded(ending.reason, ending.message)
        case Verdict.FAIL:
            return _failed(
                Reason.RESTART_BUDGET_SPENT if ending.spent_budget else ending.reason,
                _last_words(ending, observed, status),
            )
        case _ if not observed.spec.wants_to_run:
            return _paused(observed, plan, status)
    return _backing_off(observed, plan, status)


def _last_words(ending: Ending, observed: Observed, status: TrainingJobStatus) -> str:
    spent = "No restart is left; the last attempt: " if ending.spent_budget else ""
    if ending.reason != Reason.DEADLINE_EXCEEDED:
        return f"{spent}{ending.message}"
    passed = f"deadlines.totalSeconds ({observed.spec.deadlines.total_seconds} s) have passed."
    saved = f"Step {status.checkpoint.step} is saved." if status.checkpoint else "Nothing is saved."
    return f"{passed} {saved} {ending.message}".strip()


_SUMMARIES: dict[Situation, Callable[[Observed, Plan, TrainingJobStatus], Summary]] = {
    Situation.FINISHED: _finished,
    Situation.PAUSED: _paused,
    Situation.WAITING_FOR_PODS: _waiting_for_pods,
    Situation.UNREADABLE: _unreadable,
    Situation.BACKING_OFF: _backing_off,
    Situation.BEGINNING: _starting,
    Situation.CREATING: _starting,
    Situation.QUEUED: _queued,
    Situation.ACTIVE: _active,
    Situation.LATE: _late,
    Situation.STOPPING: _stopping,
    Situation.ENDED: _ended,
}
