"""Which situation follows from what is observed, and what is written because of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from training_operator.builders.metadata import spec_digest
from training_operator.children import Pod
from training_operator.deadlines import look_again
from training_operator.observe import Observed
from training_operator.outcome import Verdict
from training_operator.plan import CreateChildren, DeleteJob, DeleteService, SuspendJob, decide
from training_operator.situation import Situation
from trainingjob_api.progress import Progress, State
from trainingjob_api.status import Condition, FailureStatus, PauseStatus, Reason, TrainingJobStatus
from unit.operator.factories import (
    NOW,
    ago,
    complete_job,
    condition,
    ended_status,
    failed_job,
    job,
    look,
    open_status,
    pod,
    report,
    suspended_job,
    training_job,
)

SUSPEND = {"suspend": True}
PAUSING = PauseStatus(request_time=ago(5), resources_released=False)
SUSPENDED = Condition(
    type="Suspended", status="True", observed_generation=1, last_transition_time=ago(9), reason="PausedByUser"
)
STRANGER = replace(job(), metadata=replace(job().metadata, owner_references=()))
OLD_POD = pod(attempt=1, owner="a-job-of-before", age=700)


def finished(**fields: Any) -> TrainingJobStatus:
    done = {
        "type": "Complete",
        "status": "True",
        "observedGeneration": 1,
        "lastTransitionTime": ago(100),
        "reason": "Completed",
    }
    return TrainingJobStatus.model_validate(
        ended_status(end="Completed", completion_time=ago(100), **fields).model_dump() | {"conditions": [done]}
    )


CASES: list[tuple[str, Observed, Situation, list[type]]] = [
    (
        "somebody else's object is left alone",
        look(training_job(managedBy="kueue.x-k8s.io/multikueue")),
        Situation.ELSEWHERE,
        [],
    ),
    ("a new job begins with its number", look(training_job()), Situation.BEGINNING, []),
    ("a new job that is suspended makes nothing", look(training_job(**SUSPEND)), Situation.PAUSED, []),
    (
        "once the number is written down, the Job is created",
        look(training_job(open_status(recorded=False))),
        Situation.CREATING,
        [CreateChildren],
    ),
    (
        "a number that was given out but whose job was suspended since makes nothing",
        look(training_job(open_status(recorded=False), **SUSPEND)),
        Situation.PAUSED,
        [],
    ),
    (
        "a number that an older release left open in a pause: the resume says first that it is suspended no more",
        look(training_job(open_status(recorded=False, conditions=[SUSPENDED]))),
        Situation.BEGINNING,
        [],
    ),
    (
        "a running attempt needs nothing",
        look(training_job(open_status()), job(), pod()),
        Situation.ACTIVE,
        [],
    ),
    (
        "asked to pause: the Job is suspended",
        look(training_job(open_status(), **SUSPEND), job(), pod()),
        Situation.STOPPING,
        [SuspendJob],
    ),
    (
        "asked to pause and suspended: wait for the pods",
        look(training_job(open_status(pause=PAUSING), **SUSPEND), suspended_job(), pod(deleted=-30)),
        Situation.STOPPING,
        [],
    ),
    (
        "the Job controller says that pods are still terminating, whatever the watch of pods has shown",
        look(training_job(open_status(pause=PAUSING), **SUSPEND), suspended_job(terminating=1)),
        Situation.STOPPING,
        [],
    ),
    (
        "suspended, but the Job controller has not seen it yet",
        look(training_job(open_status(pause=PAUSING), **SUSPEND), job(suspended=True, stopped_for="PausedByUser")),
        Situation.STOPPING,
        [],
    ),
    (
        "asked to pause and no pod left: the end is written down",
        look(training_job(open_status(pause=PAUSING), **SUSPEND), suspended_job(), gone=(pod(code=43),)),
        Situation.ENDED,
        [],
    ),
    ("paused stays paused", look(training_job(ended_status(), **SUSPEND), suspended_job()), Situation.PAUSED, []),
    ("resumed: the next number", look(training_job(ended_status()), suspended_job()), Situation.BEGINNING, []),
    (
        "resumed while the pods still save: first they end",
        look(training_job(open_status(pause=PAUSING)), suspended_job(), pod()),
        Situation.STOPPING,
        [],
    ),
    (
        "resumed before the Job was suspended: the pause that status promised still happens",
        look(training_job(open_status(pause=PAUSING)), job(), pod()),
        Situation.STOPPING,
        [SuspendJob],
    ),
    (
        "pods of an earlier job of this name must be gone before the first attempt",
        look(training_job(), OLD_POD),
        Situation.WAITING_FOR_PODS,
        [],
    ),
    (
        "pods that appear after the number was given out hold the Job back",
        look(training_job(open_status(recorded=False)), OLD_POD),
        Situation.WAITING_FOR_PODS,
        [],
    ),
    (
        "not suspended as long as somebody's pod is there",
        look(training_job(**SUSPEND), OLD_POD),
        Situation.WAITING_FOR_PODS,
        [],
    ),
    (
        "pods that are over hold nothing back",
        look(training_job(ended_status()), failed_job(), pod(code=1)),
        Situation.BEGINNING,
        [],
    ),
    (
        "a crash is written down",
        look(training_job(open_status()), failed_job(), pod(code=1)),
        Situation.ENDED,
        [],
    ),
    (
        "one pod has failed, others still end",
        look(training_job(open_status(), nodes=2), job(1, condition("FailureTarget")), pod(0, code=1), pod(1)),
        Situation.STOPPING,
        [],
    ),
    (
        "a failing Job is not suspended on top",
        look(training_job(open_status(), **SUSPEND), job(1, condition("FailureTarget")), pod()),
        Situation.STOPPING,
        [],
    ),
    (
        "before the backoff is over nothing happens",
        look(training_job(ended_status(end="Crash", retry_time=NOW + timedelta(seconds=9))), failed_job()),
        Situation.BACKING_OFF,
        [],
    ),
    (
        "after the backoff the next number",
        look(training_job(ended_status(end="Crash", retry_time=NOW)), failed_job()),
        Situation.BEGINNING,
        [],
    ),
    (
        "paused during the backoff",
        look(training_job(ended_status(end="Crash", retry_time=NOW + timedelta(seconds=9)), **SUSPEND), failed_job()),
        Situation.PAUSED,
        [],
    ),
    (
        "a recorded Job that is gone is over",
        look(training_job(open_status())),
        Situation.ENDED,
        [],
    ),
    (
        "a recorded Job that is gone leaves pods behind: they end first",
        look(training_job(open_status()), pod()),
        Situation.STOPPING,
        [],
    ),
    (
        "a Job of our name but not of our making is not ours",
        look(training_job(open_status(recorded=False)), STRANGER),
        Situation.CREATING,
        [CreateChildren],
    ),
    (
        "a Job of ours under the right name but of another attempt is not this attempt's",
        look(training_job(open_status(recorded=False)), job(2, name="digits-1")),
        Situation.WAITING_FOR_PODS,
        [DeleteJob],
    ),
    (
        "a spec that changed while the attempt ran stops it",
        look(training_job(open_status()), job(digest="of another spec"), pod()),
        Situation.STOPPING,
        [SuspendJob],
    ),
    (
        "suspended and edited in one go: the attempt still saves and stops",
        look(training_job(open_status(), **SUSPEND), job(digest="of another spec"), pod()),
        Situation.STOPPING,
        [SuspendJob],
    ),
    (
        "a budget that changed is no reason to stop",
        look(
            training_job(open_status(), restart={"maxRestarts": 9}), job(digest=spec_digest(training_job().spec)), pod()
        ),
        Situation.ACTIVE,
        [],
    ),
    (
        "a queue holds the Job",
        look(training_job(open_status()), job(suspended=True, labels={"kueue.x-k8s.io/queue-name": "team-a"})),
        Situation.QUEUED,
        [],
    ),
    (
        "suspended by a stranger: it waits until they let it run",
        look(training_job(open_status()), job(suspended=True), pod()),
        Situation.QUEUED,
        [],
    ),
    (
        "out of time while running: save and stop",
        look(training_job(open_status(), deadlines={"totalSeconds": 600}), job(), pod()),
        Situation.STOPPING,
        [SuspendJob],
    ),
    (
        "out of time while paused",
        look(training_job(ended_status(), deadlines={"totalSeconds": 600}, **SUSPEND), suspended_job()),
        Situation.ENDED,
        [],
    ),
    (
        "rank 0 says it is still starting, too long",
        look(
            training_job(open_status(), deadlines={"startSeconds": 30}),
            job(),
            pod(started=30),
            report=report(step=0, saved=None, state=State.STARTING),
        ),
        Situation.LATE,
        [],
    ),
    (
        "nobody answers: the trainer keeps the deadline itself",
        look(training_job(open_status(), deadlines={"startSeconds": 30}), job(), pod(started=100)),
        Situation.ACTIVE,
        [],
    ),
    (
        "a peer has found its place late: the start begins with it",
        look(
            training_job(open_status(), nodes=2, deadlines={"startSeconds": 30}),
            job(),
            pod(0, started=58),
            pod(1, started=29),
            report=report(step=0, saved=None, state=State.STARTING),
        ),
        Situation.ACTIVE,
        [],
    ),
    (
        "a peer never started: the first step cannot come",
        look(
            training_job(open_status(), nodes=2, deadlines={"startSeconds": 30}),
            job(),
            pod(0, started=30),
            pod(1, phase="Pending"),
        ),
        Situation.LATE,
        [],
    ),
    (
        "too late is on record: now the Job is suspended",
        look(
            training_job(
                open_status(
                    last_failure=FailureStatus(attempt=1, reason=Reason.START_DEADLINE_EXCEEDED, message="", time=NOW)
                )
            ),
            job(),
            pod(),
        ),
        Situation.STOPPING,
        [SuspendJob],
    ),
    ("finished is finished", look(training_job(finished()), complete_job(), pod(code=0)), Situation.FINISHED, []),
    ("finished stays finished without its Job", look(training_job(finished())), Situation.FINISHED, []),
    (
        "finished and edited stays finished",
        look(training_job(finished(), training__epochs=99), complete_job()),
        Situation.FINISHED,
        [],
    ),
    (
        "the TTL removes Job and Service",
        look(training_job(finished(service="digits-nodes"), ttlSecondsAfterFinished=100), complete_job()),
        Situation.FINISHED,
        [DeleteJob, DeleteService],
    ),
    (
        "before the TTL everything stays",
        look(training_job(finished(service="digits-nodes"), ttlSecondsAfterFinished=101), complete_job()),
        Situation.FINISHED,
        [],
    ),
    (
        "Jobs of earlier attempts go, but the last failed one keeps its pod's log",
        look(training_job(open_status(4)), failed_job(1), failed_job(2), suspended_job(3), job(4), pod(attempt=4)),
        Situation.ACTIVE,
        [DeleteJob, DeleteJob],
    ),
]


@pytest.mark.parametrize(("observed", "situation", "actions"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_situation(observed: Observed, situation: Situation, actions: list[type]) -> None:
    plan = decide(observed)
    assert plan.situation is situation
    assert [type(action) for action in plan.actions] == actions


def test_the_last_failed_job_is_kept() -> None:
    jobs = failed_job(1), failed_job(2), suspended_job(3), job(4)
    plan = decide(look(training_job(open_status(4)), *jobs, pod(attempt=4)))
    assert [action.job.name for action in plan.actions if isinstance(action, DeleteJob)] == ["digits-1", "digits-3"]


@pytest.mark.parametrize(
    ("observed", "must_see"),
    [
        (look(training_job(open_status(recorded=False)), fresh=False), True),
        (replace(look(training_job(open_status(recorded=False)), fresh=False), is_alone=True), False),
        (replace(look(training_job(open_status(2, recorded=False)), fresh=False), is_alone=True), True),
        (look(training_job(open_status(recorded=False), **SUSPEND), fresh=False), True),
        (look(training_job(open_status(recorded=False), deadlines={"totalSeconds": 60}), fresh=False), True),
        (look(training_job(open_status()), failed_job(), fresh=False), True),
        (look(training_job(open_status()), failed_job(), pod(code=1), fresh=False), False),
        (look(training_job(open_status()), complete_job(), pod(), fresh=False), True),
        (look(training_job(open_status()), job(), pod(), fresh=False), False),
    ],
    ids=[
        "before a Job is created, no pod may exist: not even one that the watch has not shown",
        "before the first Job of a TrainingJob whose name is new, there is nothing to read",
        "before a second one there is, whatever is known",
        "a pause while the Job is not known: somebody may have deleted it, and left pods that were never shown",
        "the end of its time then",
        "a failed Job whose pods nobody saw",
        "a failed Job whose pods all told",
        "a complete Job with a pod that seems to run",
        "a running attempt needs no reading",
    ],
)
def test_pods_are_read_from_the_api_server_when_it_matters(observed: Observed, must_see: bool) -> None:
    plan = decide(observed)
    assert plan.must_see_pods is must_see
    assert not (must_see and plan.actions)


@pytest.mark.parametrize(
    ("restarts", "verdict", "spent"),
    [(2, Verdict.RETRY, False), (3, Verdict.FAIL, True)],
    ids=["the last restart is used", "no restart is left"],
)
def test_budget(restarts: int, verdict: Verdict, spent: bool) -> None:
    plan = decide(look(training_job(open_status(restarts=restarts)), failed_job(), pod(code=1)))
    assert plan.ending is not None
    assert (plan.ending.verdict, plan.ending.spent_budget) == (verdict, spent)


def lacked_memory(attempt: int = 1, reason: Reason = Reason.OUT_OF_MEMORY) -> FailureStatus:
    return FailureStatus(attempt=attempt, reason=reason, message="", time=ago(300))


PAUSED_SINCE = PauseStatus(request_time=ago(200), resources_released=True)
KILLED = pod(attempt=2, code=137, reason="OOMKilled")


@pytest.mark.parametrize(
    ("last", "pause", "end", "heard", "verdict"),
    [
        (None, None, KILLED, None, Verdict.RETRY),
        (lacked_memory(), None, KILLED, None, Verdict.FAIL),
        (lacked_memory(), None, pod(attempt=2, code=49), None, Verdict.FAIL),
        (lacked_memory(), None, KILLED, report(attempt=2), Verdict.RETRY),
        (lacked_memory(), None, KILLED, report(attempt=2, saved_by=1), Verdict.FAIL),
        (lacked_memory(), PAUSED_SINCE, KILLED, None, Verdict.RETRY),
        (lacked_memory(attempt=0), None, KILLED, None, Verdict.RETRY),
        (lacked_memory(reason=Reason.CRASH), None, KILLED, None, Verdict.RETRY),
        (lacked_memory(), None, pod(attempt=2, code=1), None, Verdict.RETRY),
    ],
    ids=[
        "the first time it may have been bad luck",
        "the second time at the same place is the last",
        "on a device as well",
        "it has come further: it saved",
        "what it went on from does not count",
        "a person may have given it more in a pause",
        "an attempt between them ended otherwise",
        "the one before ended otherwise",
        "it ends otherwise itself",
    ],
)
def test_memory_that_was_too_little_twice(
    last: FailureStatus | None, pause: PauseStatus | None, end: Pod, heard: Progress | None, verdict: Verdict
) -> None:
    job = training_job(open_status(2, last_failure=last, pause=pause))
    plan = decide(look(job, failed_job(2), end, report=heard))
    assert plan.ending is not None
    assert plan.ending.verdict is verdict
    assert ("at the same place" in plan.ending.message) is (verdict is Verdict.FAIL)


def test_a_disruption_needs_no_budget() -> None:
    drained = pod(code=43, conditions=(condition("DisruptionTarget", reason="EvictionByEvictionAPI"),))
    plan = decide(look(training_job(open_status(restarts=3)), failed_job(), drained))
    assert plan.ending is not None
    assert plan.ending.verdict is Verdict.REPLACE


@pytest.mark.parametrize(
    ("observed", "seconds"),
    [
        (look(training_job(open_status()), job(), pod()), None),
        (look(training_job(open_status()), job(), pod(phase="Pending", age=3)), 2),
        (look(training_job(open_status()), job(), pod(phase="Pending", age=9)), 21),
        (look(training_job(open_status()), job(), pod(phase="Pending", age=99)), None),
        (look(training_job(open_status()), job(age=9)), 21),
        (look(training_job(open_status(), deadlines={"totalSeconds": 700}), job(), pod()), 100),
        (look(training_job(ended_status(retry_time=NOW + timedelta(seconds=9)))), 9),
        (look(training_job(finished(), ttlSecondsAfterFinished=130)), 30),
        (look(training_job(finished(), ttlSecondsAfterFinished=100)), None),
        (look(training_job(finished())), None),
        (look(training_job(ended_status(), suspend=True)), None),
        (look(training_job(open_status()), suspended_job(), pod()), 15),
    ],
    ids=[
        "a running attempt wakes us itself",
        "a pod that has just come may need a moment to be scheduled",
        "a pod that does not start may need its volumes",
        "a pod that does not start after all tells us when something changes",
        "a Job that gets no pods",
        "the deadline of the whole training",
        "the end of the backoff",
        "the TTL",
        "after the TTL nothing is left to do",
        "finished for good",
        "paused for as long as it takes",
        "pods that should end",
    ],
)
def test_look_again(observed: Observed, seconds: float | None) -> None:
    assert look_again(observed, decide(observed).situation) == seconds
