"""A plan -> its story: phase, reason and words for people, from which all conditions follow. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from training_operator.children import Pod
from training_operator.observe import Observed
from training_operator.outcome import Ending, Verdict
from training_operator.plan import Plan, Situation
from training_operator.trouble import Trouble
from training_operator.waiting import why_waiting
from trainingjob_api.status import ConditionType, Phase, Reason, TrainingJobStatus


class State(Enum):
    """kstatus' three answers."""

    READY = auto()
    RECONCILING = auto()
    STALLED = auto()


@dataclass(frozen=True)
class Story:
    """What is to be told."""

    phase: Phase
    state: State
    reason: Reason
    message: str
    is_suspended: bool = False
    is_running: bool = False
    finished: ConditionType | None = None


def story_of(observed: Observed, plan: Plan, status: TrainingJobStatus, trouble: Trouble | None) -> Story:
    """The story of this pass; status is the one about to be written, but for its conditions."""
    story = _STORIES[plan.situation](observed, plan, status)
    trouble = trouble or _lost_node(observed)
    if trouble is None:
        return story
    return Story(story.phase, State.STALLED, trouble.reason, trouble.message, is_running=False)


def _lost_node(observed: Observed) -> Trouble | None:
    if not observed.lost_nodes:
        return None
    nodes = ", ".join(observed.lost_nodes)
    return Trouble(
        Reason.NODE_LOST,
        f"Node {nodes} does not answer. The attempt goes on when it is back. If the machine is off for good:"
        f" kubectl delete node {observed.lost_nodes[0]}",
    )


def _finished(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    """As it was told when it finished."""
    complete = status.condition(ConditionType.COMPLETE)
    if complete is not None and complete.status == "True":
        return _succeeded(complete.reason, complete.message)
    failed = status.condition(ConditionType.FAILED)
    return _failed(failed.reason, failed.message) if failed else _failed(Reason.UNKNOWN, "")


def _succeeded(reason: Reason, message: str) -> Story:
    return Story(Phase.SUCCEEDED, State.READY, reason, message, finished=ConditionType.COMPLETE)


def _failed(reason: Reason, message: str) -> Story:
    return Story(Phase.FAILED, State.STALLED, reason, message, finished=ConditionType.FAILED)


def _paused(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    if status.job is None or status.job.end is not Reason.GRACE_EXCEEDED:
        return Story(Phase.PAUSED, State.READY, Reason.PAUSED_BY_USER, pause_message(status), is_suspended=True)
    available = status.condition(ConditionType.CHECKPOINT_AVAILABLE)  # as it was before this pass
    failed = available is not None and available.reason is Reason.SAVE_FAILED
    why = available.message if available and failed else "The state could not be saved within deadlines.saveSeconds."
    reason = Reason.SAVE_FAILED if failed else Reason.GRACE_EXCEEDED
    return Story(Phase.PAUSED, State.READY, reason, f"{why} {pause_message(status)}", is_suspended=True)


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


def _waiting_for_pods(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    phase = Phase.PENDING if status.attempt == 0 else Phase.RESTARTING
    if not observed.spec.wants_to_run:
        phase = Phase.PAUSING
    names = _names(observed.leftovers)
    return _until_overdue(observed, phase, Reason.STILL_TERMINATING, f"Waiting until {names} has ended.")


def _backing_off(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    failure = status.last_failure
    cause = f"Attempt {failure.attempt} ended: {failure.message}. " if failure else ""
    when = f"at {status.retry_time:%H:%M:%S} UTC" if status.retry_time else "now"
    message = f"{cause}Attempt {status.attempt + 1} begins {when}."
    return Story(Phase.RESTARTING, State.RECONCILING, Reason.RESTARTING, message)


def _starting(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    return Story(Phase.STARTING, State.RECONCILING, Reason.STARTING, f"Attempt {status.attempt} is starting.")


def _queued(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    was_admitted = bool(observed.pods or observed.ends)
    reason = Reason.PAUSED_BY_QUEUE if was_admitted else Reason.WAITING_FOR_QUEUE
    return Story(Phase.QUEUED, State.RECONCILING, reason, f"Job {status.job.name if status.job else ''} is queued.")


def _active(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    if observed.has_started:
        nodes = observed.spec.nodes
        message = f"Attempt {status.attempt} is training on {nodes} {'node' if nodes == 1 else 'nodes'}."
        return Story(Phase.RUNNING, State.READY, Reason.TRAINING, message, is_running=True)
    waiting = why_waiting(observed)
    if waiting is None:
        return _starting(observed, plan, status)
    state = State.STALLED if waiting.needs_a_person else State.RECONCILING
    return Story(Phase.STARTING, state, waiting.reason, waiting.message)


def _late(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    message = status.last_failure.message if status.last_failure else ""
    return Story(Phase.RESTARTING, State.RECONCILING, Reason.START_DEADLINE_EXCEEDED, message)


def _stopping(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    if plan.stop is Reason.PAUSED_BY_USER:
        return _until_overdue(observed, Phase.PAUSING, Reason.SAVING_CHECKPOINT, "Saving, then the pods end.")
    reason = plan.stop or Reason.STILL_TERMINATING
    words = {
        Reason.SPEC_CHANGED: "The spec has changed: saving, then a new attempt begins.",
        Reason.DEADLINE_EXCEEDED: "deadlines.totalSeconds have passed: saving, then the pods end.",
    }
    message = words.get(reason, f"The pods of attempt {status.attempt} are ending.")
    return _until_overdue(observed, Phase.RESTARTING, reason, message)


def _until_overdue(observed: Observed, phase: Phase, reason: Reason, message: str) -> Story:
    """Reconciling, but Stalled once pods are a minute over their grace period."""
    overdue = observed.overdue_pods
    if not overdue:
        return Story(phase, State.RECONCILING, reason, message)
    node = overdue[0].spec.node_name
    message = f"{_names(overdue)} should have ended; look at node {node} and its kubelet."
    return Story(phase, State.STALLED, Reason.STILL_TERMINATING, message)


def _ended(observed: Observed, plan: Plan, status: TrainingJobStatus) -> Story:
    ending = plan.ending
    assert ending is not None
    match ending.verdict:
        case Verdict.COMPLETE:
            return _succeeded(ending.reason, ending.message)
        case Verdict.FAIL:
            return _failed(Reason.RESTART_BUDGET_SPENT if ending.spent_budget else ending.reason, _last_words(ending))
        case _ if not observed.spec.wants_to_run:
            return _paused(observed, plan, status)
    return _backing_off(observed, plan, status)


def _last_words(ending: Ending) -> str:
    spent = "No restart is left; the last attempt: " if ending.spent_budget else ""
    return f"{spent}{ending.message}"


def _names(pods: tuple[Pod, ...]) -> str:
    names = ", ".join(f"pod {pod.name}" for pod in pods[:3])
    return f"{names} and {len(pods) - 3} more" if len(pods) > 3 else names


_STORIES: dict[Situation, Callable[[Observed, Plan, TrainingJobStatus], Story]] = {
    Situation.FINISHED: _finished,
    Situation.PAUSED: _paused,
    Situation.WAITING_FOR_PODS: _waiting_for_pods,
    Situation.BACKING_OFF: _backing_off,
    Situation.BEGINNING: _starting,
    Situation.CREATING: _starting,
    Situation.QUEUED: _queued,
    Situation.ACTIVE: _active,
    Situation.LATE: _late,
    Situation.STOPPING: _stopping,
    Situation.ENDED: _ended,
}
