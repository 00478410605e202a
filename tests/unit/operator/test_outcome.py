"""Why an attempt ended, from what its pods and its Job left behind."""

from collections.abc import Sequence
from typing import Any

import pytest

from training_operator.attempt import Attempt, PodEnd, pod_end
from training_operator.children import Job, Pod
from training_operator.outcome import Ending, Verdict, judge
from trainingjob_api.progress import Outcome
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import Reason
from unit.operator.factories import (
    complete_job,
    condition,
    failed_job,
    open_status,
    pod,
    said,
    suspended_job,
    training_job,
)

EVICTED = (condition("DisruptionTarget", reason="EvictionByEvictionAPI"),)
PREEMPTED = (condition("DisruptionTarget", reason="PreemptionByScheduler"),)
FAILED = failed_job()
NAMED = "Container trainer for pod team/digits-1-0-abcde failed with exit code {} matching FailJob rule at index 1"
DISRUPTED = "Pod team/digits-1-1-abcde has condition DisruptionTarget matching FailJob rule at index 0"


def judged(job: Job | None, ends: Sequence[PodEnd], stop: Reason | None) -> Ending:
    return judge(Attempt(job=job, ends=tuple(ends)), stop)


Case = tuple[str, Job | None, list[Pod], Reason | None, Reason, Verdict]

CASES: list[Case] = [
    ("exit 1 is a crash", FAILED, [pod(code=1)], None, Reason.CRASH, Verdict.RETRY),
    ("any code nobody knows is a crash", FAILED, [pod(code=77)], None, Reason.CRASH, Verdict.RETRY),
    ("a segmentation fault is a crash", FAILED, [pod(code=139)], None, Reason.CRASH, Verdict.RETRY),
    ("a user's error is final", FAILED, [pod(code=44)], None, Reason.USER_ERROR, Verdict.FAIL),
    ("a data error is final", FAILED, [pod(code=50)], None, Reason.DATA_ERROR, Verdict.FAIL),
    ("broken checkpoints are final", FAILED, [pod(code=51)], None, Reason.CHECKPOINT_CORRUPT, Verdict.FAIL),
    ("a non-finite loss is tried again", FAILED, [pod(code=45)], None, Reason.NON_FINITE, Verdict.RETRY),
    ("a hang is tried again", FAILED, [pod(code=46)], None, Reason.HANG, Verdict.RETRY),
    ("device memory", FAILED, [pod(code=49)], None, Reason.OUT_OF_MEMORY, Verdict.RETRY),
    ("SIGKILL without a word", FAILED, [pod(code=137)], None, Reason.KILLED, Verdict.RETRY),
    (
        "SIGKILL by the kernel for memory",
        FAILED,
        [pod(code=137, reason="OOMKilled")],
        None,
        Reason.OUT_OF_MEMORY,
        Verdict.RETRY,
    ),
    ("ended by SIGTERM of its own", FAILED, [pod(code=143)], None, Reason.KILLED, Verdict.RETRY),
    (
        "deleted before it could save",
        FAILED,
        [pod(code=143, deleted=1)],
        None,
        Reason.GRACE_EXCEEDED,
        Verdict.REPLACE,
    ),
    ("saved though nobody asked for a pause", FAILED, [pod(code=43)], None, Reason.DISRUPTED, Verdict.REPLACE),
    (
        "a drain of a pod that saved",
        FAILED,
        [pod(code=43, conditions=EVICTED)],
        None,
        Reason.DISRUPTED,
        Verdict.REPLACE,
    ),
    (
        "a drain of a pod that was killed",
        FAILED,
        [pod(code=137, conditions=EVICTED)],
        None,
        Reason.DISRUPTED,
        Verdict.REPLACE,
    ),
    ("preemption", FAILED, [pod(code=43, conditions=PREEMPTED)], None, Reason.PREEMPTED, Verdict.REPLACE),
    (
        "preempted before its container ran",
        FAILED,
        [pod(phase="Failed", started=None, conditions=PREEMPTED)],
        None,
        Reason.PREEMPTED,
        Verdict.REPLACE,
    ),
    (
        "a crash that a drain followed is a crash",
        FAILED,
        [pod(0, code=1, ended=9), pod(1, code=43, ended=2, conditions=EVICTED)],
        None,
        Reason.CRASH,
        Verdict.RETRY,
    ),
    (
        "a drain after which a peer lost its peer",
        FAILED,
        [pod(0, code=47, ended=5), pod(1, code=43, ended=2, conditions=EVICTED)],
        None,
        Reason.DISRUPTED,
        Verdict.REPLACE,
    ),
    (
        "the cause is the crash, not the peers that lost it, even when they ended first",
        FAILED,
        [pod(0, code=47, ended=9), pod(1, code=1, ended=5), pod(2, code=47, ended=4)],
        None,
        Reason.CRASH,
        Verdict.RETRY,
    ),
    (
        "the earliest of two causes",
        FAILED,
        [pod(0, code=1, ended=5), pod(1, code=49, ended=9)],
        None,
        Reason.OUT_OF_MEMORY,
        Verdict.RETRY,
    ),
    (
        "within one second: the crash, not who was told to stop because of it",
        FAILED,
        [pod(0, code=43, ended=5), pod(1, code=1, ended=5)],
        None,
        Reason.CRASH,
        Verdict.RETRY,
    ),
    (
        "only lost peers: the network",
        FAILED,
        [pod(0, code=47), pod(1, code=47)],
        None,
        Reason.PEER_LOST,
        Verdict.RETRY,
    ),
    (
        "a node that came back without its containers",
        FAILED,
        [pod(code=137, reason="ContainerStatusUnknown")],
        None,
        Reason.DISRUPTED,
        Verdict.REPLACE,
    ),
    (
        "nobody saw it, but the Job names pod and code",
        failed_job(message=NAMED.format(44)),
        [],
        None,
        Reason.USER_ERROR,
        Verdict.FAIL,
    ),
    (
        "nobody saw it, but the Job names the disruption",
        failed_job(message=DISRUPTED),
        [],
        None,
        Reason.DISRUPTED,
        Verdict.REPLACE,
    ),
    ("nobody saw it and the Job names nobody", FAILED, [], None, Reason.DISRUPTED, Verdict.REPLACE),
    ("the Job is gone and nobody saw its pods", None, [], None, Reason.DISRUPTED, Verdict.REPLACE),
    ("the Job is gone, its pod saved", None, [pod(code=43, deleted=1)], None, Reason.DISRUPTED, Verdict.REPLACE),
    ("the Job is gone, its pod crashed", None, [pod(code=1)], None, Reason.CRASH, Verdict.RETRY),
    ("complete", complete_job(), [pod(code=0)], None, Reason.COMPLETED, Verdict.COMPLETE),
    ("complete and nobody saw it", complete_job(), [], None, Reason.COMPLETED, Verdict.COMPLETE),
    (
        "complete while a pause was asked for",
        complete_job(),
        [pod(code=0)],
        Reason.PAUSED_BY_USER,
        Reason.COMPLETED,
        Verdict.COMPLETE,
    ),
    (
        "complete because it stopped early",
        complete_job(),
        [pod(code=0, message=said(0, Outcome.EARLY_STOPPED))],
        None,
        Reason.EARLY_STOPPED,
        Verdict.COMPLETE,
    ),
    (
        "paused",
        suspended_job(),
        [pod(code=43)],
        Reason.PAUSED_BY_USER,
        Reason.PAUSED_BY_USER,
        Verdict.PAUSE,
    ),
    (
        "paused, however badly the pods took it",
        suspended_job(),
        [pod(code=137)],
        Reason.PAUSED_BY_USER,
        Reason.PAUSED_BY_USER,
        Verdict.PAUSE,
    ),
    (
        "crashed just before it could be paused: counted",
        FAILED,
        [pod(code=1)],
        Reason.PAUSED_BY_USER,
        Reason.CRASH,
        Verdict.RETRY,
    ),
    ("the spec changed", suspended_job(), [pod(code=43)], Reason.SPEC_CHANGED, Reason.SPEC_CHANGED, Verdict.CONTINUE),
    (
        "out of time",
        suspended_job(),
        [pod(code=43)],
        Reason.DEADLINE_EXCEEDED,
        Reason.DEADLINE_EXCEEDED,
        Verdict.FAIL,
    ),
    (
        "too late",
        suspended_job(),
        [pod(code=43)],
        Reason.START_DEADLINE_EXCEEDED,
        Reason.START_DEADLINE_EXCEEDED,
        Verdict.RETRY,
    ),
    ("suspended by a stranger", suspended_job(), [pod(code=43)], None, Reason.DISRUPTED, Verdict.REPLACE),
    (
        "a finer word of the trainer's, where it agrees with its code",
        FAILED,
        [pod(code=44, message=said(44, Outcome.CHECKPOINT_MISMATCH))],
        None,
        Reason.CHECKPOINT_MISMATCH,
        Verdict.FAIL,
    ),
    (
        "a word that contradicts the code does not count",
        FAILED,
        [pod(code=1, message=said(1, Outcome.EARLY_STOPPED))],
        None,
        Reason.CRASH,
        Verdict.RETRY,
    ),
    (
        "a word about another attempt does not count",
        FAILED,
        [pod(code=44, message=said(44, Outcome.VOLUME_NOT_WRITABLE, attempt=7))],
        None,
        Reason.USER_ERROR,
        Verdict.FAIL,
    ),
]


@pytest.mark.parametrize(
    ("job", "pods", "stop", "reason", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_judgement(job: Job | None, pods: Sequence[Pod], stop: Reason | None, reason: Reason, verdict: Verdict) -> None:
    ending = judged(job, [pod_end(one, training_job_with_attempt()) for one in pods], stop)
    assert (ending.reason, ending.verdict) == (reason, verdict)


def training_job_with_attempt() -> TrainingJob:

    return training_job(open_status())


def ends(*pods: Pod) -> list[PodEnd]:
    return [pod_end(one, training_job_with_attempt()) for one in pods]


def test_the_trainers_own_words_are_the_message() -> None:
    told = said(50, Outcome.DATA_ERROR, "train.csv, row 7: 'x' is not a number")
    ending = judged(FAILED, ends(pod(code=50, message=told)), None)
    assert ending.message == "train.csv, row 7: 'x' is not a number"
    assert (ending.exit_code, ending.pod, ending.evidence) == (50, "digits-1-0-abcde", "PodReport")


def test_without_words_the_message_names_pod_and_code() -> None:
    ending = judged(FAILED, ends(pod(code=137)), None)
    assert ending.message == "Pod digits-1-0-abcde was killed (SIGKILL) (exit code 137)"


def test_who_was_killed_for_memory_is_told_how_much_there_was() -> None:
    limited = training_job(open_status(), pod={"resources": {"limits": {"memory": "512Mi"}}})
    ending = judged(FAILED, [pod_end(pod(code=137, reason="OOMKilled"), limited)], None)
    assert "more memory than its limit of 512Mi (exit code 137)" in ending.message


def test_evidence_of_the_condition() -> None:
    ending = judged(failed_job(message=NAMED.format(45)), [], None)
    assert (ending.pod, ending.exit_code, ending.evidence) == ("digits-1-0-abcde", 45, "JobCondition")


def test_a_rank_that_never_began_means_that_nothing_was_lost() -> None:
    killed, waiting = ends(pod(code=143)), ends(pod(1, started=None))
    saved = ends(pod(1, code=43))
    assert judged(suspended_job(), [*killed, *waiting], Reason.PAUSED_BY_USER).was_saved is True
    assert judged(suspended_job(), [*killed, *saved], Reason.PAUSED_BY_USER).was_saved is True
    assert judged(suspended_job(), [*ends(pod(code=137)), *saved], Reason.PAUSED_BY_USER).was_saved is False


@pytest.mark.parametrize(
    ("container", "saved"),
    [
        ({}, True),
        ({"lastState": {}}, True),
        ({"containerID": "containerd://5f"}, False),
        ({"lastState": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}}, False),
    ],
)
def test_a_pod_that_was_stopped_before_it_had_a_container_lost_nothing(container: dict[str, Any], saved: bool) -> None:
    """The kubelet says of it what it says of a container that ran and is gone."""
    lost = [pod(rank, code=137, reason="ContainerStatusUnknown", container=container) for rank in range(2)]
    assert judged(suspended_job(), ends(*lost), Reason.PAUSED_BY_USER).was_saved is saved
    assert judged(failed_job(), ends(*lost), None).verdict is Verdict.REPLACE


def test_a_stop_that_only_the_condition_tells_of_is_a_disruption() -> None:
    ending = judged(failed_job(message=NAMED.format(43)), [], None)
    assert (ending.reason, ending.verdict, ending.was_saved) == (Reason.DISRUPTED, Verdict.REPLACE, True)


def test_no_evidence_at_all() -> None:
    assert judged(None, [], None).evidence is None
    assert judged(suspended_job(), [], Reason.PAUSED_BY_USER).evidence is None
    assert judged(suspended_job(), [], Reason.PAUSED_BY_USER).was_saved is None


def test_an_exit_code_is_evidence_also_without_words() -> None:
    ending = judged(suspended_job(), ends(pod(code=143)), Reason.DEADLINE_EXCEEDED)
    assert (ending.exit_code, ending.evidence) == (143, "PodReport")


@pytest.mark.parametrize(("codes", "saved"), [((43,), True), ((43, 48), False), ((43, 137), False), ((43, 0), True)])
def test_a_pause_was_saved_if_every_pod_says_so(codes: tuple[int, ...], saved: bool) -> None:
    pods = [pod(rank, code=code) for rank, code in enumerate(codes)]
    assert judged(suspended_job(), ends(*pods), Reason.PAUSED_BY_USER).was_saved is saved


def test_the_furthest_progress_counts() -> None:
    behind, ahead = said(43, Outcome.STOPPED, step=20, saved=20, rank=1), said(43, Outcome.STOPPED, step=30, saved=30)
    ending = judged(
        suspended_job(), ends(pod(1, code=43, message=behind), pod(0, code=43, message=ahead)), Reason.PAUSED_BY_USER
    )
    assert ending.progress is not None
    assert ending.progress.step == 30
