"""Clusters that are less tidy than one would like: what is planned there, and what a person reads."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from training_operator.children import Pod, read_pod
from training_operator.deadlines import look_again
from training_operator.observe import Observed
from training_operator.plan import DeleteJob, SuspendJob, decide
from training_operator.situation import Situation
from training_operator.status.derive import derive, same
from training_operator.status.notes import notes
from trainingjob_api.progress import Outcome, State
from trainingjob_api.status import ConditionType, FailureStatus, PauseStatus, Phase, Reason, TrainingJobStatus
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
    raw_pod,
    report,
    said,
    suspended_job,
    text,
    training_job,
)

QUEUE = {"kueue.x-k8s.io/queue-name": "team-a"}
SUSPEND = {"suspend": True}
PAUSING = PauseStatus(request_time=ago(5), resources_released=False)


def shown(observed: Observed) -> TrainingJobStatus:
    return derive(observed, decide(observed))


def told(status: TrainingJobStatus) -> dict[str, str]:
    return {each.type: each.reason for each in status.conditions if each.status == "True"}


def words(status: TrainingJobStatus, type: ConditionType = ConditionType.READY) -> str:
    found = status.condition(type)
    assert found is not None
    return found.message


def actions(observed: Observed) -> list[type]:
    return [type(action) for action in decide(observed).actions]


class TestQueue:
    """A Job that somebody else suspends is theirs to let run."""

    held = job(suspended=True, labels=QUEUE)
    acknowledged = job(1, condition("Suspended"), suspended=True, labels=QUEUE)

    @pytest.mark.parametrize("recorded", [True, False])
    def test_it_stays_the_open_attempt_for_as_long_as_it_takes(self, recorded: bool) -> None:
        observed = look(training_job(open_status(recorded=recorded)), self.acknowledged)
        status = shown(observed)
        assert (status.phase, status.attempt, status.disruptions) == (Phase.QUEUED, 1, 0)
        assert told(status) == {"Reconciling": "WaitingForQueue"}
        assert same(shown(look(training_job(status), self.acknowledged, now=NOW + timedelta(days=9))), status)

    def test_what_a_queue_takes_away_is_told_and_not_counted(self) -> None:
        saved = pod(code=43, message=said(43, Outcome.STOPPED, step=40, saved=40))
        status = shown(look(training_job(open_status()), self.acknowledged, gone=(saved,)))
        assert told(status)["Reconciling"] == "PausedByQueue"
        assert (status.checkpoint.step if status.checkpoint else None) == 40
        assert (status.restarts, status.disruptions, status.job.end if status.job else "") == (0, 0, None)
        assert same(shown(look(training_job(status), self.acknowledged, gone=(saved,))), status)

    def test_ends_of_before_do_not_decide_how_it_ends_once_it_is_let_run_again(self) -> None:
        saved = pod(code=43, message=said(43, Outcome.STOPPED), age=500, uid="of-before")
        again = failed_job(labels=QUEUE, startTime=text(ago(100)))
        status = shown(look(training_job(open_status()), again, pod(code=1, age=90), gone=(saved,)))
        assert status.last_failure is not None
        assert status.last_failure.reason == Reason.CRASH

    def test_a_queue_that_fails_the_job_by_ending_its_pods_costs_no_restart(self) -> None:
        saved = pod(code=43, message=said(43, Outcome.STOPPED, step=40, saved=40))
        taken = job(1, condition("Failed", message="a pod failed"), suspended=True, labels=QUEUE)
        status = shown(look(training_job(open_status()), taken, gone=(saved,)))
        assert (status.restarts, status.disruptions, status.retry_time) == (0, 1, None)
        assert (status.job.end if status.job else "") == "Preempted"
        assert (status.checkpoint.step if status.checkpoint else None) == 40

    failing = job(1, condition("Suspended"), condition("FailureTarget"), suspended=True, labels=QUEUE)

    def test_a_job_that_fails_while_it_is_suspended_is_over_without_ever_being_called_failed(self) -> None:
        saved = pod(code=43, message=said(43, Outcome.STOPPED, step=40, saved=40))
        running = look(training_job(open_status()), self.failing, pod())
        assert decide(running).situation is Situation.STOPPING
        status = shown(look(training_job(open_status()), self.failing, gone=(saved,)))
        assert (status.restarts, status.disruptions, status.job.end if status.job else "") == (0, 1, "Preempted")
        paused = shown(look(training_job(open_status(pause=PAUSING), **SUSPEND), self.failing))
        assert told(paused)["Suspended"] == "PausedByUser"

    @pytest.mark.parametrize("child", [held, acknowledged, job(labels=QUEUE)], ids=["held", "let go", "running"])
    def test_a_pause_by_a_person_deletes_it_because_a_queue_would_let_it_run_again(self, child: Any) -> None:
        assert actions(look(training_job(open_status(), **SUSPEND), child)) == [DeleteJob]

    def test_a_pause_in_the_queue_ends(self) -> None:
        pausing = shown(look(training_job(open_status(), **SUSPEND), self.acknowledged))
        assert told(shown(look(training_job(pausing, **SUSPEND)))) == {
            "Ready": "PausedByUser",
            "Suspended": "PausedByUser",
        }

    def test_a_job_that_somebody_lets_run_after_it_was_stopped_is_deleted(self) -> None:
        revived = job(stopped_for="PausedByUser")
        assert actions(look(training_job(open_status(pause=PAUSING), **SUSPEND), revived, pod())) == [DeleteJob]

    def test_changes_reach_a_job_that_waits(self) -> None:
        waiting = job(suspended=True, labels=QUEUE, digest="of another spec")
        assert actions(look(training_job(open_status()), waiting)) == [DeleteJob]


class TestUnwantedJobs:
    """Any Job outside of the open attempt that may make pods."""

    @pytest.mark.parametrize(
        ("observed", "certain"),
        [
            (look(training_job(ended_status(), **SUSPEND), job(), pod()), True),
            (look(training_job(ended_status(), **SUSPEND), job(suspended=True, labels=QUEUE)), True),
            (look(training_job(open_status(2)), job(1), job(2), pod(attempt=2)), True),
            (look(training_job(open_status()), job(), job(5), pod()), False),
        ],
        ids=["let run after its end", "held after its end", "of an earlier attempt", "of a later attempt"],
    )
    def test_is_deleted_at_every_pass(self, observed: Observed, certain: bool) -> None:
        plan = decide(observed)
        assert [action.is_certain for action in plan.actions if isinstance(action, DeleteJob)] == [certain]

    def test_nothing_is_called_paused_while_it_is_there(self) -> None:
        status = shown(look(training_job(ended_status(), **SUSPEND), job(), pod()))
        assert (status.phase, told(status)) == (Phase.PAUSING, {"Reconciling": "StillTerminating"})

    def test_a_job_that_was_stopped_or_is_over_stays_as_it_is(self) -> None:
        assert actions(look(training_job(ended_status(), **SUSPEND), suspended_job())) == []
        assert actions(look(training_job(ended_status(), **SUSPEND), failed_job())) == []


UNSCHEDULABLE = condition(
    "PodScheduled", "False", "Unschedulable", "0/9 nodes are available: 9 Insufficient nvidia.com/gpu"
)


class TestMissingCapacity:
    """Some nodes run and hold what they have; the others find no place."""

    waiting = pod(1, phase="Pending", node="", age=690, conditions=(UNSCHEDULABLE,))

    def late(self, **status: Any) -> Observed:
        return look(
            training_job(open_status(**status), nodes=2), job(age=700), pod(0, started=601, age=690), self.waiting
        )

    def test_it_is_given_up_for_now_with_the_schedulers_words(self) -> None:
        plan, status = decide(self.late()), shown(self.late())
        assert (plan.situation, plan.stop) == (Situation.LATE, Reason.PARTLY_PLACED)
        assert "Only 1 of 2 nodes could run within deadlines.startSeconds (600 s)" in words(status)
        assert "Insufficient nvidia.com/gpu" in words(status)

    def test_it_spends_no_restart_however_often(self) -> None:
        waits = []
        for fruitless in (0, 1, 2, 8):
            on_record = shown(self.late(restarts=3, fruitless_attempts=fruitless))
            gone = (pod(0, code=143), pod(1, phase="Pending", node=""))
            ended = shown(look(training_job(on_record, nodes=2), suspended_job(age=700), gone=gone))
            assert (ended.restarts, ended.phase) == (3, Phase.RESTARTING)
            assert ended.retry_time is not None
            waits.append((ended.retry_time - NOW).total_seconds())
        assert waits == [10, 20, 40, 300]

    def test_one_node_waits_for_ever_since_it_holds_nothing(self) -> None:
        pending = pod(0, phase="Pending", node="", age=69_000, conditions=(UNSCHEDULABLE,))
        status = shown(look(training_job(open_status()), job(age=70_000), pending))
        assert told(status) == {"Reconciling": "Unschedulable"}

    def test_a_quota_that_lets_two_of_four_through_is_named(self) -> None:
        status = shown(look(training_job(open_status(), nodes=4), job(age=300), pod(0, age=290), pod(1, age=290)))
        assert told(status) == {"Stalled": "Forbidden"}
        assert "gets only 2 of 4 pods" in words(status)

    def test_it_is_looked_at_when_the_time_is_up(self) -> None:
        observed = look(training_job(open_status(), nodes=2), job(age=700), pod(0, started=500, age=690), self.waiting)
        assert look_again(observed, decide(observed).situation) == 100


class TestStaleReports:
    starting = report(step=0, saved=None, state=State.STARTING)

    @pytest.mark.parametrize(
        ("age", "situation"), [(5, Situation.LATE), (640, Situation.ACTIVE)], ids=["fresh", "stale"]
    )
    def test_only_fresh_news_ends_an_attempt(self, age: float, situation: Situation) -> None:
        children = job(age=700), pod(started=650, age=690)
        observed = look(training_job(open_status()), *children, report=self.starting, report_age=age)
        assert decide(observed).situation is situation


def refused(reason: str, words: str, code: int | None = None, **more: Any) -> Pod:
    raw = raw_pod(phase="Failed", started=None, code=code, **more)
    raw["status"] |= {"reason": reason, "message": words}
    return read_pod(raw)


UNHEALTHY = "Allocate failed due to can't allocate unhealthy devices nvidia.com/gpu, which is unexpected"
OVER_LIMIT = 'Usage of EmptyDir volume "cache" exceeds the limit "20Mi".'
STOPPED = said(43, Outcome.STOPPED, "stopped on request")
NOT_FOUND = 'exec: "python": executable file not found in $PATH'


class TestPodsThatTheKubeletRefuses:
    @pytest.mark.parametrize(
        ("ended", "reason", "says"),
        [
            (refused("UnexpectedAdmissionError", UNHEALTHY), Reason.POD_REFUSED, UNHEALTHY),
            (refused("OutOfcpu", "Node didn't have enough resource: cpu"), Reason.POD_REFUSED, "enough resource: cpu"),
            (refused("Evicted", OVER_LIMIT, code=43, message=STOPPED), Reason.EVICTED, OVER_LIMIT),
            (refused("Evicted", OVER_LIMIT, code=137), Reason.EVICTED, OVER_LIMIT),
            (pod(code=128, reason="StartError", message=NOT_FOUND), Reason.CONTAINER_NOT_CREATED, NOT_FOUND),
        ],
        ids=["devices", "no room", "evicted in good order", "evicted and killed", "not started"],
    )
    def test_its_words_are_shown_and_it_spends_the_budget(self, ended: Pod, reason: Reason, says: str) -> None:
        status = shown(look(training_job(open_status(disruptions=5)), failed_job(), ended))
        assert status.last_failure is not None
        assert (status.last_failure.reason, status.restarts, status.disruptions) == (reason, 1, 5)
        assert says in status.last_failure.message

    def test_it_is_the_cause_although_its_peers_ended_first(self) -> None:
        peer = pod(1, code=43, message=said(43, Outcome.STOPPED, rank=1), ended=9)
        status = shown(look(training_job(open_status(), nodes=2), failed_job(), refused("OutOfcpu", "no cpu"), peer))
        assert status.last_failure is not None
        assert status.last_failure.reason == Reason.POD_REFUSED

    @pytest.mark.parametrize("reason", ["Evicted", "NodeShutdown", "Terminated"])
    def test_what_the_node_needs_for_itself_is_a_disruption(self, reason: str) -> None:
        target = condition("DisruptionTarget", reason="TerminationByKubelet")
        ended = refused(reason, "The node was low on resource: memory", code=43, conditions=(target,))
        status = shown(look(training_job(open_status()), failed_job(), ended))
        assert (status.restarts, status.disruptions) == (0, 1)


PROXY = {"name": "istio-proxy", "state": {"running": {"startedAt": text(ago(99))}}}


def with_proxy(code: int, ended: float, rank: int = 0) -> Pod:
    raw = raw_pod(rank, code=code, ended=ended)
    raw["status"]["phase"] = "Running"
    raw["status"]["containerStatuses"].append(
        {"name": "istio-proxy", "state": {"running": {"startedAt": text(ago(99))}}}
    )
    return read_pod(raw)


class TestInjectedContainers:
    """The trainer's container decides, whatever else runs in the pod."""

    def test_it_is_told_and_not_called_training(self) -> None:
        status = shown(look(training_job(open_status()), job(), with_proxy(0, ended=3)))
        assert "Running" not in told(status)
        assert "istio-proxy" in words(status)
        assert "initContainers" in words(status)

    def test_after_a_moment_the_pods_are_ended(self) -> None:
        early, late = (look(training_job(open_status()), job(), with_proxy(0, ended=age)) for age in (14, 15))
        assert actions(early) == []
        assert look_again(early, decide(early).situation) == 1
        assert actions(late) == [SuspendJob]

    @pytest.mark.parametrize(("code", "phase"), [(0, Phase.SUCCEEDED), (44, Phase.FAILED), (1, Phase.RESTARTING)])
    def test_how_the_trainer_ended_is_how_the_attempt_ended(self, code: int, phase: Phase) -> None:
        stopped = suspended_job(stopped_for="ContainerLeft")
        status = shown(look(training_job(open_status()), stopped, gone=(pod(code=code, deleted=2),)))
        assert status.phase == phase

    def test_peers_that_still_train_are_left_alone(self) -> None:
        observed = look(training_job(open_status(), nodes=2), job(), with_proxy(0, ended=99), pod(1))
        assert actions(observed) == []

    def test_a_container_that_does_not_end_is_named(self) -> None:
        raw = raw_pod(code=0, deleted=99)
        raw["status"]["phase"] = "Running"
        raw["status"]["containerStatuses"].append(PROXY)
        status = shown(look(training_job(open_status()), suspended_job(stopped_for="ContainerLeft"), read_pod(raw)))
        assert told(status) == {"Stalled": "ContainerLeft"}
        assert "istio-proxy" in words(status)


def orphan(**more: Any) -> Pod:
    raw = raw_pod(**more)
    raw["metadata"]["ownerReferences"] = []
    return read_pod(raw)


def test_what_trains_is_not_called_starting_by_an_operator_that_has_just_begun() -> None:
    children = job(), pod(started=9)
    training = shown(look(training_job(open_status()), *children, report=report()))
    assert training.phase == Phase.RUNNING
    assert same(shown(look(training_job(training), *children)), training)


class TestOrphans:
    """Pods whose Job was deleted without them."""

    def test_they_belong_to_the_attempt_that_their_label_names(self) -> None:
        status = shown(look(training_job(open_status()), orphan()))
        assert (status.attempt, status.disruptions, status.job.end if status.job else "") == (1, 0, None)
        assert "ran on when the Job was deleted" in words(status)

    def test_one_of_a_former_job_of_this_name_proves_nothing(self) -> None:
        done = orphan(code=0, owner="job-of-before", message=said(0, Outcome.COMPLETED))
        assert shown(look(training_job(open_status()), done)).phase == Phase.RESTARTING

    def test_what_they_finish_is_finished(self) -> None:
        done = orphan(code=0, message=said(0, Outcome.COMPLETED))
        assert shown(look(training_job(open_status()), done)).phase == Phase.SUCCEEDED

    @pytest.mark.parametrize("status", [ended_status(end="Disrupted"), open_status(2, recorded=False)])
    def test_nothing_begins_beside_them(self, status: TrainingJobStatus) -> None:
        assert decide(look(training_job(status), orphan())).situation is Situation.WAITING_FOR_PODS

    def test_a_pause_names_the_command_that_ends_them(self) -> None:
        status = shown(look(training_job(open_status(), **SUSPEND), orphan()))
        assert told(status) == {"Stalled": "OrphanedPods"}
        assert "kubectl delete pod digits-1-0-abcde" in words(status)


class TestBudget:
    """Restarts count until training has gone well for long enough."""

    def failed(self, age: float, saved_by: int, **restart: int) -> TrainingJobStatus:
        """After so many seconds, with a checkpoint of that attempt."""
        message = said(1, Outcome.CRASH, "boom", step=900, saved=900, attempt=4, saved_by=saved_by)
        crashed = pod(attempt=4, code=1, message=message)
        before = open_status(4, restarts=3, recent_restarts=3)
        return shown(look(training_job(before, restart=restart), failed_job(4, age=age), crashed))

    def test_after_an_hour_with_something_saved_it_begins_anew(self) -> None:
        status = self.failed(age=3600, saved_by=4)
        assert (status.phase, status.restarts, status.recent_restarts) == (Phase.RESTARTING, 4, 1)
        assert status.retry_time == NOW + timedelta(seconds=10)

    def test_how_long_that_is_can_be_set(self) -> None:
        phases = [self.failed(age=60, saved_by=4, resetSeconds=seconds).phase for seconds in (60, 61)]
        assert phases == [Phase.RESTARTING, Phase.FAILED]

    @pytest.mark.parametrize(("age", "saved_by"), [(3599, 4), (36_000, 3)], ids=["too early", "nothing was saved"])
    def test_it_is_spent_otherwise(self, age: float, saved_by: int) -> None:
        status = self.failed(age=age, saved_by=saved_by)
        assert (status.phase, status.restarts) == (Phase.FAILED, 3)

    def test_it_shows_while_training_goes_well(self) -> None:
        before = shown(look(training_job(open_status(restarts=2, recent_restarts=2)), job(), pod()))
        well = look(training_job(before), job(age=3600), pod(), report=report(attempt=1))
        status = shown(well)
        assert (status.restarts, status.recent_restarts) == (2, 0)


class TestHotLoops:
    """What ends every attempt as it begins is tried ever more rarely."""

    @pytest.mark.parametrize(
        ("fruitless", "seconds"), [(0, 10), (1, 20), (2, 40), (9, 300)], ids=["once", "twice", "three times", "often"]
    )
    def test_a_job_that_is_deleted_again_and_again(self, fruitless: int, seconds: float) -> None:
        status = shown(look(training_job(open_status(fruitless_attempts=fruitless))))
        assert status.retry_time == NOW + timedelta(seconds=seconds)

    def test_a_job_that_was_deleted_before_its_uid_was_recorded_is_known_by_its_pods(self) -> None:
        begun = training_job(open_status(recorded=False))
        assert decide(look(begun, pod(deleted=-9))).situation is Situation.STOPPING
        status = shown(look(begun, gone=(pod(code=43, deleted=1),)))
        assert (status.phase, status.retry_time) == (Phase.RESTARTING, NOW + timedelta(seconds=10))

    def test_pods_of_a_job_of_before_prove_nothing(self) -> None:
        begun = training_job(open_status(recorded=False))
        assert decide(look(begun, gone=(pod(code=43, age=601),))).situation is Situation.CREATING

    def test_a_disruption_after_progress_is_replaced_at_once(self) -> None:
        target = (condition("DisruptionTarget", reason="EvictionByEvictionAPI"),)
        drained = pod(code=43, message=said(43, Outcome.STOPPED), conditions=target)
        status = shown(look(training_job(open_status(fruitless_attempts=5)), failed_job(), drained))
        assert (status.retry_time, status.fruitless_attempts) == (None, 0)

    def test_a_person_may_change_the_spec_at_once_but_a_tool_not_for_ever(self) -> None:
        waits = []
        for fruitless in (0, 1, 2):
            stopped = suspended_job(stopped_for="SpecChanged", digest="of another spec")
            status = shown(look(training_job(open_status(fruitless_attempts=fruitless)), stopped, gone=(pod(code=43),)))
            waits.append(status.retry_time and (status.retry_time - NOW).total_seconds())
        assert waits == [None, None, 20]

    def test_a_job_without_our_annotations_runs(self) -> None:
        assert actions(look(training_job(open_status()), job(digest=""), pod())) == []


class TestWords:
    """What status says is so, and is never empty."""

    def test_a_deadline_says_what_is_saved(self) -> None:
        stopped = pod(code=43, message=said(43, Outcome.STOPPED))
        observed = look(training_job(open_status(), deadlines={"totalSeconds": 600}), suspended_job(), gone=(stopped,))
        status = shown(observed)
        assert words(status, ConditionType.FAILED) == "deadlines.totalSeconds (600 s) have passed. Step 30 is saved."
        assert status.last_failure is not None
        assert status.last_failure.message
        assert all(note.message.strip(": ") for note in notes(observed.status, status))

    def test_no_restart_is_announced_while_paused(self) -> None:
        before = open_status(pause=PAUSING)
        status = shown(look(training_job(before, **SUSPEND), failed_job(), pod(code=1)))
        assert (status.phase, status.retry_time, status.restarts) == (Phase.PAUSED, None, 1)
        assert "Restarting" not in [note.reason for note in notes(before, status)]

    def test_a_pause_before_the_job_ends_the_attempt_so_that_a_resume_writes_first(self) -> None:
        paused = shown(look(training_job(open_status(recorded=False), **SUSPEND)))
        assert paused.is_true(ConditionType.SUSPENDED)
        resumed = look(training_job(paused))
        assert decide(resumed).situation is Situation.BEGINNING
        assert not shown(resumed).is_true(ConditionType.SUSPENDED)

    @pytest.mark.parametrize(
        "later",
        [
            look(training_job(open_status(), **SUSPEND), job(), pod()),
            look(training_job(open_status()), failed_job(), pod(code=1)),
            look(training_job(open_status()), complete_job(), pod(code=0)),
        ],
        ids=["pausing", "restarting", "finished"],
    )
    def test_nothing_has_a_rate_while_nothing_trains(self, later: Observed) -> None:
        fast = report(samplesPerSecond=9.0, secondsRemaining=60)
        training = shown(look(training_job(open_status()), job(), pod(), report=fast))
        assert training.progress is not None
        assert (training.progress.samples_per_second, training.progress.remaining_text) == (9.0, "1m0s")
        status = shown(replace(later, job=later.job.model_copy(update={"status": training})))
        assert status.progress is not None
        assert status.progress.epoch == 3
        assert (status.progress.samples_per_second, status.progress.seconds_remaining) == (None, None)
        assert status.progress.remaining_text is None

    def test_a_pod_that_only_vanished_is_not_said_to_have_never_begun(self) -> None:
        pausing = training_job(open_status(pause=PAUSING), **SUSPEND)
        missing = look(pausing, suspended_job(), gone=(pod(phase="Pending", started=None),), vanished=True)
        status = shown(missing)
        assert status.pause is not None
        assert (status.pause.evidence, status.pause.lost_steps) == (None, None)


def test_what_pods_report_fits_into_status() -> None:
    endless = report(epoch=2**63, step=2**70, saved=2**65, epochs=2**63, secondsRemaining=1e300, samplesPerSecond=1e308)
    status = shown(look(training_job(open_status()), job(), pod(), report=endless))
    assert status.progress is not None
    assert status.progress.step == 2**63 - 1
    assert (status.progress.epochs, status.progress.percent, status.progress.seconds_remaining) == (0, None, None)


def test_a_time_left_that_nobody_lives_to_see_fits_into_status() -> None:
    endless = report(epochs=10, secondsRemaining=1e300)
    status = shown(look(training_job(open_status()), job(), pod(), report=endless))
    assert status.progress is not None
    assert status.progress.seconds_remaining == 2**63 - 1


def test_a_deadline_that_has_passed_while_pods_save_makes_no_hot_loop() -> None:
    stopping = suspended_job(stopped_for="DeadlineExceeded")
    observed = look(training_job(open_status(), deadlines={"totalSeconds": 60}), stopping, pod(deleted=-30))
    assert look_again(observed, decide(observed).situation) == 15


def test_a_late_start_is_recorded_with_its_reason() -> None:
    failure = FailureStatus(attempt=1, reason=Reason.PARTLY_PLACED, message="Only 1 of 2", time=NOW)
    observed = look(training_job(open_status(last_failure=failure), nodes=2), job(), pod(0))
    assert (decide(observed).stop, actions(observed)) == (Reason.PARTLY_PLACED, [SuspendJob])
