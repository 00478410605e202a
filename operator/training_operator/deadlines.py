"""Every moment at which time alone changes what is planned or shown. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta

from training_operator import obstacle
from training_operator.observe import Observed
from training_operator.situation import Situation
from training_operator.status import reported

LOOK_WHILE_WAITING = 15.0
UNTIL_HEARD = timedelta(seconds=30)
"""How long a trainer takes to say what it does, where it can be asked."""
LINGER = timedelta(seconds=15)
"""How long the kubelet may take to tell that a whole pod has ended."""
_AT_ONCE = {Situation.BEGINNING, Situation.LATE, Situation.ENDED}
"""Situations whose record is what the next pass acts on."""
_WAITING = {Situation.CREATING, Situation.STOPPING, Situation.WAITING_FOR_PODS}


def total(observed: Observed) -> datetime | None:
    """When `deadlines.totalSeconds` have passed."""
    seconds, start = observed.spec.deadlines.total_seconds, observed.status.start_time
    return start + timedelta(seconds=seconds) if seconds is not None and start is not None else None


def first_step(observed: Observed) -> datetime | None:
    """When the first step is overdue; None when it was made, or when nobody can tell.

    Without a fresh word from a rank 0 that runs with all its peers only the trainer knows, which keeps the deadline
    itself. So it does where a program decides when its start begins.
    """
    attempt = observed.attempt
    only_the_trainer_knows = attempt.report is None or not attempt.report_is_fresh or observed.spec.script is not None
    if attempt.last_start is None or attempt.has_stepped or not attempt.has_started or only_the_trainer_knows:
        return None
    return attempt.last_start + timedelta(seconds=observed.spec.deadlines.start_seconds)


def first_word(observed: Observed) -> datetime | None:
    """Until when it counts as starting without a word from rank 0, which may be out of reach; None: it has spoken."""
    attempt = observed.attempt
    if attempt.last_start is None or attempt.report is not None:
        return None
    return attempt.last_start + UNTIL_HEARD


def placement(observed: Observed) -> datetime | None:
    """When those nodes that run have waited long enough for the others."""
    start = observed.attempt.first_start
    if start is None or not observed.attempt.is_partly_placed:
        return None
    return start + timedelta(seconds=observed.spec.deadlines.start_seconds)


def lingering(observed: Observed) -> datetime | None:
    """When pods are ended whose trainer has ended while another container runs on."""
    since = observed.attempt.lingers_since
    return since + LINGER if since is not None else None


def reset(observed: Observed) -> datetime | None:
    """When this attempt has trained for so long that restarts and backoff begin anew; None: they have."""
    status, began = observed.status, observed.attempt.began
    if began is None or not observed.attempt.has_saved or not (status.spent_restarts or status.fruitless_attempts):
        return None
    return began + timedelta(seconds=observed.spec.restart.reset_seconds)


def removal(observed: Observed) -> datetime | None:
    """When `ttlSecondsAfterFinished` have passed."""
    ttl, end = observed.spec.ttl_seconds_after_finished, observed.status.completion_time
    return end + timedelta(seconds=ttl) if ttl is not None and end is not None else None


def spent_restarts(observed: Observed) -> int:
    """Restarts that count against the budget now."""
    return 0 if has_passed(reset(observed), observed) else observed.status.spent_restarts


def next_progress(observed: Observed) -> datetime | None:
    """When a report that is news may be written; None: there is none that waits."""
    report = observed.attempt.report
    return reported.due_time(observed.status, report) if report and reported.is_news(observed.status, report) else None


def has_passed(moment: datetime | None, observed: Observed) -> bool:
    return moment is not None and observed.now >= moment


def look_again(observed: Observed, situation: Situation, changed: bool = False) -> float | None:
    """After how many seconds to look again, None: only when something happens. changed: status was just written."""
    if changed and situation in _AT_ONCE:
        return 0.0
    moments = _MOMENTS.get(situation, _unless_woken)(observed)
    ahead = [moment for moment in moments if moment is not None and moment > observed.now]
    seconds = [(moment - observed.now).total_seconds() for moment in ahead]
    if situation in _WAITING or observed.lost_nodes or observed.suspect_nodes:
        seconds.append(LOOK_WHILE_WAITING)
    return min(seconds, default=None)


def _unless_woken(observed: Observed) -> tuple[datetime | None, ...]:
    return (total(observed),)


def _of_finished(observed: Observed) -> tuple[datetime | None, ...]:
    moment = removal(observed)
    return () if has_passed(moment, observed) else (moment,)


def _of_active(observed: Observed) -> tuple[datetime | None, ...]:
    starts = first_step(observed), first_word(observed), placement(observed), *obstacle.moments(observed)
    return *starts, total(observed), next_progress(observed), lingering(observed), reset(observed)


_MOMENTS: dict[Situation, Callable[[Observed], tuple[datetime | None, ...]]] = {
    Situation.ELSEWHERE: lambda observed: (),
    Situation.FINISHED: _of_finished,
    Situation.BACKING_OFF: lambda observed: (observed.status.retry_time, total(observed)),
    Situation.ACTIVE: _of_active,
}
