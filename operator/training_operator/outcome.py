"""Pods' ends and the Job's condition -> one reason why the attempt ended, and what follows from it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from training_operator.attempt import Attempt, PodEnd
from training_operator.children import NODE_FORGOT, Job
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import EXIT_CODE_OF, Outcome, Progress
from trainingjob_api.status import Evidence, Reason


class Verdict(Enum):
    """What follows from an attempt's end."""

    COMPLETE = auto()
    FAIL = auto()
    """No other attempt would end better."""
    PAUSE = auto()
    RETRY = auto()
    """After a backoff, at the expense of the budget."""
    REPLACE = auto()
    """Disrupted from outside: at once, and counted as a disruption."""
    CONTINUE = auto()
    """Stopped by the operator itself, for a changed spec or missing capacity: not counted."""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended."""

    reason: str
    verdict: Verdict
    message: str = ""
    exit_code: int | None = None
    pod: str | None = None
    time: datetime | None = None
    evidence: Evidence | None = None
    """None: nobody saw the end."""
    progress: Progress | None = None
    """The last state that the trainer told."""
    was_saved: bool | None = None
    """Whether all that was done is on disk; None: not known."""
    spent_budget: bool = False
    """It would have been tried again, had there been a restart left."""


_MEANING: dict[int, tuple[Reason, Verdict, str]] = {
    # The peers of a drained pod stop with it, and they may be all that is left to see.
    ExitCode.STOPPED: (Reason.DISRUPTED, Verdict.REPLACE, "was stopped from outside and saved its state"),
    ExitCode.NOT_SAVED: (
        Reason.GRACE_EXCEEDED,
        Verdict.REPLACE,
        "was stopped from outside and could not save in time",
    ),
    ExitCode.USER_ERROR: (Reason.USER_ERROR, Verdict.FAIL, "found an error in the recipe"),
    ExitCode.DATA_ERROR: (Reason.DATA_ERROR, Verdict.FAIL, "could not use the data"),
    ExitCode.NO_VALID_CHECKPOINT: (
        Reason.CHECKPOINT_CORRUPT,
        Verdict.FAIL,
        "found checkpoints, none of which can be read",
    ),
    ExitCode.NON_FINITE: (Reason.NON_FINITE, Verdict.RETRY, "met a loss or gradient that is not finite"),
    ExitCode.HANG: (Reason.HANG, Verdict.RETRY, "made no step within its deadline"),
    ExitCode.PEER_LOST: (Reason.PEER_LOST, Verdict.RETRY, "lost a peer"),
    ExitCode.OUT_OF_MEMORY: (Reason.OUT_OF_MEMORY, Verdict.RETRY, "ran out of memory"),
    137: (Reason.KILLED, Verdict.RETRY, "was killed (SIGKILL)"),
    143: (Reason.KILLED, Verdict.RETRY, "was ended (SIGTERM) before it could save"),
}
_CRASH = (Reason.CRASH, Verdict.RETRY, "crashed")

# Finer than the exit code says, where the trainer's own word agrees with the code.
_FINER: dict[Outcome, Reason] = {
    Outcome.VOLUME_NOT_WRITABLE: Reason.VOLUME_NOT_WRITABLE,
    Outcome.CHECKPOINT_MISMATCH: Reason.CHECKPOINT_MISMATCH,
    Outcome.FOLDER_IN_USE: Reason.FOLDER_IN_USE,
    Outcome.EARLY_STOPPED: Reason.EARLY_STOPPED,
    Outcome.ALREADY_COMPLETED: Reason.ALREADY_COMPLETED,
}

# Codes of a pod that did what it was told, or was killed because it could not.
_ENDED_FROM_OUTSIDE = frozenset({None, ExitCode.STOPPED, ExitCode.NOT_SAVED, ExitCode.PEER_LOST, 137, 143})


_NODES_OWN = frozenset({"NodeShutdown", "Shutdown", "Terminated", "NodeLost"})
"""Reasons of a pod that say nothing against it."""
_NEVER_BEGUN = frozenset({"StartError", "ContainerCannotRun"})
"""The runtime could not start the container."""


def judge(attempt: Attempt, stop: str | None) -> Ending:
    """Why an attempt ended; stop: why the operator stopped it, if it did."""
    job, ends = attempt.job, attempt.ends
    if (job is not None and job.is_complete) or _all_completed(attempt):
        return _completed(ends)
    if stop is not None and stop != Reason.CONTAINER_LEFT and (job is None or job.is_suspended):
        return _stopped(ends, stop)
    root = root_cause(ends)
    if job is not None and job.is_held and (root is None or root.exit_code in _ENDED_FROM_OUTSIDE):
        return _taken_back(job, root, ends)
    if root is not None:
        return _from_pod(root, ends)
    if job is not None and job.end is not None:
        return _from_condition(job, ends)
    if job is not None and job.failure is not None:
        return _unseen(f"The Job failed: {job.failure.reason}: {job.failure.message}", ends)
    if job is not None:
        return _unseen("The Job was suspended", ends)
    return _unseen("The Job was deleted", ends)


def _all_completed(attempt: Attempt) -> bool:
    """Every trainer has ended well, whatever else kept its pod, or took the Job from above it."""
    return attempt.every_end_is_known and all(end.exit_code == ExitCode.COMPLETED for end in attempt.ends)


def root_cause(ends: Sequence[PodEnd]) -> PodEnd | None:
    """The earliest end that is not a consequence of another: not PeerLost, and not in good order."""
    bad = [end for end in ends if end.exit_code != ExitCode.COMPLETED and _says_something(end)]
    causes = [end for end in bad if end.exit_code != ExitCode.PEER_LOST] or bad
    return min(causes, key=_by_time, default=None)


def _says_something(end: PodEnd) -> bool:
    return end.exit_code is not None or end.disruption is not None or bool(end.pod_reason)


def _by_time(end: PodEnd) -> tuple[bool, bool, float, bool, int]:
    """A pod that the kubelet refused or evicted, then the earliest; within a second who was not merely told to stop."""
    stopped = end.exit_code in (ExitCode.STOPPED, ExitCode.NOT_SAVED) and not end.disruption
    return not _is_refused(end), end.time is None, end.time.timestamp() if end.time else 0.0, stopped, end.rank


def _is_refused(end: PodEnd) -> bool:
    """The kubelet would not have this pod, or threw it out for what it did itself."""
    return bool(end.pod_reason) and end.pod_reason not in _NODES_OWN and end.disruption is None


def last_progress(ends: Sequence[PodEnd]) -> Progress | None:
    """The furthest state that any pod told."""
    told = [end.said.progress for end in ends if end.said and end.said.progress]
    return max(told, key=lambda progress: (progress.step, progress.checkpoint is not None), default=None)


def _completed(ends: Sequence[PodEnd]) -> Ending:
    first = min((end for end in ends if end.said), key=lambda end: end.rank, default=None)
    said = first.said if first else None
    reason = _FINER.get(said.outcome, Reason.COMPLETED) if said else Reason.COMPLETED
    return Ending(
        reason=reason,
        verdict=Verdict.COMPLETE,
        message=said.message if said and said.message else "Training is complete.",
        exit_code=0,
        evidence="PodReport" if said else "JobCondition",
        progress=last_progress(ends),
        was_saved=True,
    )


def _stopped(ends: Sequence[PodEnd], stop: str) -> Ending:
    """We asked the pods to stop; whether they could save is what matters."""
    root, progress = root_cause(ends), last_progress(ends)
    saved = _was_saved(ends)
    verdicts: dict[str, Verdict] = {
        Reason.PAUSED_BY_USER: Verdict.PAUSE,
        Reason.DEADLINE_EXCEEDED: Verdict.FAIL,
        Reason.START_DEADLINE_EXCEEDED: Verdict.RETRY,
    }
    return Ending(
        reason=stop,
        verdict=verdicts.get(stop, Verdict.CONTINUE),
        message=_told(root) if root and saved is False else "",
        exit_code=root.exit_code if root else None,
        pod=root.pod if root else None,
        time=root.time if root else None,
        evidence="PodReport" if any(end.said or end.exit_code is not None for end in ends) else None,
        progress=progress,
        was_saved=saved,
    )


def _was_saved(ends: Sequence[PodEnd]) -> bool | None:
    """Whether all that was done is on disk; None: not known."""
    if any(end.never_began for end in ends):
        return True  # a step takes all ranks: where one never began there was nothing to lose
    codes = {end.exit_code for end in ends if end.exit_code is not None}
    return codes <= {ExitCode.STOPPED, ExitCode.COMPLETED} if codes else None


def _from_pod(root: PodEnd, ends: Sequence[PodEnd]) -> Ending:
    reason, verdict, _ = _meaning(root, ends)
    return Ending(
        reason=reason,
        verdict=verdict,
        message=_told(root),
        exit_code=root.exit_code,
        pod=root.pod,
        time=root.time,
        evidence="PodReport",
        progress=last_progress(ends),
        was_saved=root.exit_code == ExitCode.STOPPED,
    )


def _meaning(root: PodEnd, ends: Sequence[PodEnd]) -> tuple[Reason, Verdict, str]:
    """Reason, verdict and words for a pod's end."""
    if _is_refused(root):
        return _refusal(root)
    disrupted = next((end.disruption for end in (root, *ends) if end.disruption), None)
    if disrupted and root.exit_code in _ENDED_FROM_OUTSIDE:
        return _disruption(disrupted)
    if root.container_reason == "OOMKilled":
        limit = f" of {root.memory_limit}" if root.memory_limit else ""
        return Reason.OUT_OF_MEMORY, Verdict.RETRY, f"was killed because it used more memory than its limit{limit}"
    if root.container_reason in _NEVER_BEGUN:
        return Reason.CONTAINER_NOT_CREATED, Verdict.RETRY, "could not be started"
    if root.container_reason in NODE_FORGOT or (root.exit_code is None and root.pod_reason in _NODES_OWN):
        return Reason.DISRUPTED, Verdict.REPLACE, "was lost by its node"
    if root.exit_code in (137, 143) and root.was_deleted:
        return Reason.GRACE_EXCEEDED, Verdict.REPLACE, "was deleted and could not save in time"
    reason, verdict, words = _MEANING.get(root.exit_code or 0, _CRASH)
    said = root.said
    if said and EXIT_CODE_OF[said.outcome] == root.exit_code:
        reason = _FINER.get(said.outcome, reason)
    return reason, verdict, words


def _refusal(end: PodEnd) -> tuple[Reason, Verdict, str]:
    if end.pod_reason == "Evicted":
        return Reason.EVICTED, Verdict.RETRY, "was evicted for what it used"
    return Reason.POD_REFUSED, Verdict.RETRY, f"was refused by its node ({end.pod_reason})"


def _disruption(reason: str) -> tuple[Reason, Verdict, str]:
    if reason == "PreemptionByScheduler":
        return Reason.PREEMPTED, Verdict.REPLACE, "had to make room for a pod of higher priority"
    return Reason.DISRUPTED, Verdict.REPLACE, f"was disrupted ({reason})"


def _told(end: PodEnd) -> str:
    """One sentence: the trainer's own words if it left any."""
    _, _, words = _meaning(end, (end,))
    code = "" if end.exit_code is None else f" (exit code {end.exit_code})"
    if end.said and end.said.message and not _is_refused(end):
        place = f" at {end.said.place}" if end.said.place else ""
        return f"{end.said.message}{place}"
    return f"Pod {end.pod} {words}{code}{f': {end.words}' if end.words else ''}"


def _taken_back(job: Job, root: PodEnd | None, ends: Sequence[PodEnd]) -> Ending:
    """Whoever suspended the Job ended its pods; that one of them ended first has failed it."""
    return Ending(
        reason=Reason.PREEMPTED,
        verdict=Verdict.REPLACE,
        message=f"Job {job.name} was suspended by its queue, or by somebody else",
        exit_code=root.exit_code if root else None,
        pod=root.pod if root else None,
        time=root.time if root else None,
        evidence="PodReport" if root else "JobCondition",
        progress=last_progress(ends),
        was_saved=_was_saved(ends),
    )


def _from_condition(job: Job, ends: Sequence[PodEnd]) -> Ending:
    """Nobody saw the pods end, but the Job's condition names the first one and its code."""
    told = job.end
    assert told is not None
    if told.is_disruption:
        reason, verdict, words = _disruption("DisruptionTarget")
    elif told.exit_code == 137:
        reason, verdict, words = Reason.KILLED, Verdict.RETRY, "was killed: by the kernel for its memory, or by SIGKILL"
    else:
        reason, verdict, words = _MEANING.get(told.exit_code or 0, _CRASH)
    code = "" if told.exit_code is None else f" with exit code {told.exit_code}"
    return Ending(
        reason=reason,
        verdict=verdict,
        message=f"Pod {told.pod} {words}{code}, says the Job; its own words are lost",
        exit_code=told.exit_code,
        pod=told.pod,
        evidence="JobCondition",
        progress=last_progress(ends),
        was_saved=told.exit_code == ExitCode.STOPPED or None,
    )


def _unseen(message: str, ends: Sequence[PodEnd]) -> Ending:
    """Something outside ended the attempt; that is no failure of the training."""
    return Ending(Reason.DISRUPTED, Verdict.REPLACE, message, progress=last_progress(ends))
