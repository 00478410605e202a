"""What people are shown: phase, conditions and numbers, for every situation."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from support.manifests import ABSENT
from training_operator.deadlines import first_step, look_again
from training_operator.observe import Observed
from training_operator.obstacle import Obstacle
from training_operator.plan import DeleteJob, SuspendJob, decide
from training_operator.situation import Situation
from training_operator.status import reported
from training_operator.status.derive import derive, held_up, is_routine, same
from trainingjob_api.progress import Outcome, Progress, State
from trainingjob_api.reading import ReadInPart, read_training_job
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import Condition, ConditionType, PauseStatus, Phase, Reason, TrainingJobStatus
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
    raw_training_job,
    report,
    said,
    suspended_job,
    text,
    training_job,
)

SCRIPT = {"training": ABSENT, "script": {"path": "/code/train.py"}}
PAUSING = PauseStatus(request_time=ago(5), resources_released=False)
UNSCHEDULABLE = (condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient gpu"),)
NO_CLAIM = (condition("PodScheduled", "False", "Unschedulable", 'persistentvolumeclaim "claim" not found'),)
FULL = Condition(
    type=ConditionType.CHECKPOINT_AVAILABLE,
    status="True",
    reason=Reason.SAVE_FAILED,
    message="The last save failed: disk full.",
    observed_generation=1,
    last_transition_time=ago(9),
)
RESUME = {"fromStep": 30, "fromAttempt": 1, "exactness": "Bitwise", "saveTime": text(ago(2)), "onRequest": True}


def shown(observed: Observed, met: Obstacle | None = None) -> TrainingJobStatus:
    return derive(observed, decide(observed), met)


def true_conditions(status: TrainingJobStatus) -> dict[str, str]:
    return {c.type.value: c.reason.value for c in status.conditions if c.status == "True"}


CASES: list[tuple[str, Observed, Phase, dict[str, str]]] = [
    ("a new job", look(training_job()), Phase.STARTING, {"Reconciling": "Starting"}),
    (
        "a new job that is suspended is as it should be",
        look(training_job(suspend=True)),
        Phase.PAUSED,
        {"Ready": "PausedByUser", "Suspended": "PausedByUser"},
    ),
    (
        "pods of an earlier job of this name",
        look(training_job(), pod(owner="other")),
        Phase.PENDING,
        {"Reconciling": "StillTerminating"},
    ),
    (
        "its pods have not started",
        look(training_job(open_status()), job(), pod(phase="Pending", age=5)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "one of two pods runs",
        look(training_job(open_status(), nodes=2), job(), pod(0), pod(1, phase="Pending", age=5)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "all pods run",
        look(training_job(open_status(), nodes=2), job(), pod(0), pod(1)),
        Phase.RUNNING,
        {"Ready": "Training", "Running": "Training"},
    ),
    (
        "all pods run, and rank 0 has not been asked yet",
        look(training_job(open_status(), nodes=2), job(), pod(0, started=29), pod(1, started=29)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "rank 0 reads its data, however long",
        look(training_job(open_status()), job(), pod(started=300), report=report(0, 0, None, state=State.STARTING)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "rank 0 restores a checkpoint",
        look(training_job(open_status()), job(), pod(), report=report(0, 0, None, state=State.RESTORING)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "a program that reports nothing runs",
        look(training_job(open_status()), job(), pod(started=2), report=report(0, 0, None, state=State.RUNNING)),
        Phase.RUNNING,
        {"Ready": "Training", "Running": "Training"},
    ),
    (
        "one pod is done before the other",
        look(training_job(open_status(), nodes=2), job(), pod(0, code=0), pod(1)),
        Phase.RUNNING,
        {"Ready": "Training", "Running": "Training"},
    ),
    (
        "no node has room; one may get some",
        look(training_job(open_status()), job(), pod(phase="Pending", node="", conditions=UNSCHEDULABLE)),
        Phase.STARTING,
        {"Reconciling": "Unschedulable"},
    ),
    (
        "its claim is being bound",
        look(training_job(open_status()), job(), pod(phase="Pending", node="", conditions=UNSCHEDULABLE, age=4)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "the claim is missing",
        look(training_job(open_status()), job(), pod(phase="Pending", node="", conditions=NO_CLAIM)),
        Phase.STARTING,
        {"Stalled": "VolumeMissing"},
    ),
    (
        "the image cannot be pulled",
        look(training_job(open_status()), job(age=70), pod(waiting=("ImagePullBackOff", "no such image"), age=61)),
        Phase.STARTING,
        {"Stalled": "ImagePullFailed"},
    ),
    (
        "a registry may be away for a moment",
        look(training_job(open_status()), job(), pod(waiting=("ErrImagePull", "connection refused"), age=59)),
        Phase.STARTING,
        {"Reconciling": "ImagePullFailed"},
    ),
    (
        "no time mends the name of an image",
        look(training_job(open_status()), job(), pod(waiting=("InvalidImageName", "Trainer:1"), age=2)),
        Phase.STARTING,
        {"Stalled": "ImagePullFailed"},
    ),
    (
        "a Secret for a variable is missing",
        look(training_job(open_status()), job(), pod(waiting=("CreateContainerConfigError", "secret not found"))),
        Phase.STARTING,
        {"Stalled": "ContainerNotCreated"},
    ),
    (
        "volumes take long",
        look(training_job(open_status()), job(), pod(waiting=("ContainerCreating", ""), age=31)),
        Phase.STARTING,
        {"Reconciling": "ContainerNotCreated"},
    ),
    (
        "volumes take a moment",
        look(training_job(open_status()), job(), pod(waiting=("ContainerCreating", ""), age=29)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "the Job gets no pods",
        look(training_job(open_status()), job(age=31)),
        Phase.STARTING,
        {"Stalled": "Forbidden"},
    ),
    (
        "the Job has no pods yet",
        look(training_job(open_status()), job(age=29)),
        Phase.STARTING,
        {"Reconciling": "Starting"},
    ),
    (
        "asked to pause, still saving",
        look(training_job(open_status(pause=PAUSING), suspend=True), job(suspended=True), pod(deleted=-30)),
        Phase.PAUSING,
        {"Reconciling": "SavingCheckpoint"},
    ),
    (
        "a minute over the grace period",
        look(training_job(open_status(pause=PAUSING), suspend=True), job(suspended=True), pod(deleted=61)),
        Phase.PAUSING,
        {"Stalled": "StillTerminating"},
    ),
    (
        "paused",
        look(
            training_job(open_status(pause=PAUSING), suspend=True),
            suspended_job(),
            gone=(pod(code=43, message=said(43, Outcome.STOPPED)),),
        ),
        Phase.PAUSED,
        {"Ready": "PausedByUser", "Suspended": "PausedByUser", "CheckpointAvailable": "CheckpointSaved"},
    ),
    (
        "paused, but not saved",
        look(
            training_job(open_status(pause=PAUSING), suspend=True),
            suspended_job(),
            gone=(pod(code=48, message=said(48, Outcome.NOT_SAVED, step=30, saved=20)),),
        ),
        Phase.PAUSED,
        {"Ready": "GraceExceeded", "Suspended": "GraceExceeded", "CheckpointAvailable": "CheckpointSaved"},
    ),
    (
        "paused, but the disk is full",
        look(
            training_job(open_status(pause=PAUSING, conditions=[FULL]), suspend=True),
            suspended_job(),
            gone=(pod(code=48, message=said(48, Outcome.NOT_SAVED, step=30, saved=20)),),
        ),
        Phase.PAUSED,
        {"Ready": "SaveFailed", "Suspended": "SaveFailed", "CheckpointAvailable": "SaveFailed"},
    ),
    (
        "a crash before the next attempt",
        look(training_job(open_status()), failed_job(), pod(code=1)),
        Phase.RESTARTING,
        {"Reconciling": "Restarting"},
    ),
    (
        "a user's error",
        look(training_job(open_status()), failed_job(), pod(code=44)),
        Phase.FAILED,
        {"Stalled": "UserError", "Failed": "UserError"},
    ),
    (
        "no restart is left",
        look(training_job(open_status(restarts=3)), failed_job(), pod(code=1)),
        Phase.FAILED,
        {"Stalled": "RestartBudgetSpent", "Failed": "RestartBudgetSpent"},
    ),
    (
        "complete",
        look(training_job(open_status()), complete_job(), pod(code=0, message=said(0, Outcome.COMPLETED))),
        Phase.SUCCEEDED,
        {"Ready": "Completed", "Complete": "Completed", "CheckpointAvailable": "CheckpointSaved"},
    ),
    (
        "stopped early",
        look(training_job(open_status()), complete_job(), pod(code=0, message=said(0, Outcome.EARLY_STOPPED))),
        Phase.SUCCEEDED,
        {"Ready": "EarlyStopped", "Complete": "EarlyStopped", "CheckpointAvailable": "CheckpointSaved"},
    ),
    (
        "the spec changed while it ran",
        look(training_job(open_status()), job(digest="other"), pod()),
        Phase.RESTARTING,
        {"Reconciling": "SpecChanged"},
    ),
    (
        "a queue holds it",
        look(training_job(open_status()), job(suspended=True, labels={"kueue.x-k8s.io/queue-name": "q"})),
        Phase.QUEUED,
        {"Reconciling": "WaitingForQueue"},
    ),
]


@pytest.mark.parametrize(("observed", "phase", "conditions"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_phase_and_conditions(observed: Observed, phase: Phase, conditions: dict[str, str]) -> None:
    status = shown(observed)
    assert status.phase is phase
    assert true_conditions(status) == conditions
    assert {c.type for c in status.conditions} == set(ConditionType)


@pytest.mark.parametrize("observed", [c[1] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_shown_settles(observed: Observed) -> None:
    """A pass over what the last one wrote comes to an end: no status is written for ever."""
    for _ in range(4):
        before = observed.status
        observed = dataclasses.replace(observed, job=observed.job.model_copy(update={"status": shown(observed)}))
        if same(before, observed.status):
            return
    # What remains are steps that wait for a Job, never the same status over and over.
    assert observed.status.attempt > 0


def test_a_finished_story_never_changes() -> None:
    first = look(training_job(open_status()), complete_job(), pod(code=0, message=said(0, Outcome.COMPLETED, "done")))
    status = shown(first)
    later = look(training_job(status), now=NOW + timedelta(days=3))
    assert same(shown(later), status)


def test_a_generation_is_observed_by_every_condition() -> None:
    observed = look(training_job(open_status()), job(), pod())
    metadata = observed.job.metadata.model_copy(update={"generation": 7})
    newer = dataclasses.replace(observed, job=observed.job.model_copy(update={"metadata": metadata}))
    status = shown(newer)
    assert status.observed_generation == 7
    assert {c.observed_generation for c in status.conditions} == {7}


def test_a_condition_keeps_the_time_of_its_turn() -> None:
    first = shown(look(training_job(open_status()), job(), pod(started=90), now=ago(50)))
    later = shown(look(training_job(first), failed_job(), pod(code=1)))
    times = {c.type: c.last_transition_time for c in later.conditions}
    assert times[ConditionType.COMPLETE] == ago(50)
    assert times[ConditionType.RUNNING] == NOW


def test_the_first_write_gives_out_the_number_and_nothing_else() -> None:
    status = shown(look(training_job()))
    assert status.attempt == 1
    assert status.job is not None
    assert (status.job.name, status.job.uid, status.job.end) == ("digits-1", None, None)
    assert status.start_time == NOW


def test_the_uid_alone_is_not_worth_a_write() -> None:
    begun = shown(look(training_job()))
    waiting = look(training_job(begun), job(age=1))
    assert same(shown(waiting), begun)
    running = shown(look(training_job(begun), job(age=1), pod()))
    assert running.job is not None
    assert running.job.uid == "job-1"


class TestPause:
    def test_what_was_saved_is_told_by_the_pods(self) -> None:
        told = said(43, Outcome.STOPPED, step=37, saved=37)
        observed = look(
            training_job(open_status(pause=PAUSING), suspend=True), suspended_job(), gone=(pod(code=43, message=told),)
        )
        pause = shown(observed).pause
        assert pause is not None
        assert (pause.saved_step, pause.lost_steps, pause.evidence) == (37, 0, "PodReport")
        assert (pause.resources_released, pause.completed_time) == (True, NOW)

    def test_steps_that_were_lost_are_told(self) -> None:
        told = said(48, Outcome.NOT_SAVED, step=37, saved=30)
        observed = look(
            training_job(open_status(pause=PAUSING), suspend=True), suspended_job(), gone=(pod(code=48, message=told),)
        )
        pause = shown(observed).pause
        assert pause is not None
        assert (pause.saved_step, pause.lost_steps) == (30, 7)

    def test_a_program_that_reports_nothing_is_not_said_to_have_lost_nothing(self) -> None:
        told = json.loads(said(43, Outcome.STOPPED, step=0, saved=None))
        told["progress"]["state"] = "running"
        job = training_job(open_status(pause=PAUSING), suspend=True, **SCRIPT)
        status = shown(look(job, suspended_job(), gone=(pod(code=43, message=json.dumps(told)),)))
        assert status.pause is not None
        assert (status.pause.saved_step, status.pause.lost_steps, status.pause.evidence) == (None, None, "PodReport")
        assert "not known" in (status.condition(ConditionType.SUSPENDED) or fail()).message
        available = status.condition(ConditionType.CHECKPOINT_AVAILABLE) or fail()
        assert (available.status, available.reason) == ("False", Reason.NOT_REPORTED)

    @pytest.mark.parametrize(("changes", "lost"), [({}, 0), (SCRIPT, None)], ids=["a recipe", "a program"])
    def test_an_exit_code_without_words_says_of_a_recipe_only_that_nothing_was_lost(
        self, changes: dict[str, Any], lost: int | None
    ) -> None:
        job = training_job(open_status(pause=PAUSING), suspend=True, **changes)
        pause = shown(look(job, suspended_job(), gone=(pod(code=43),))).pause
        assert pause is not None
        assert (pause.saved_step, pause.lost_steps, pause.resources_released) == (None, lost, True)

    @pytest.mark.parametrize(
        ("before", "evidence"),
        [(ended_status(end="Crash", retry_time=NOW), "PodReport"), (open_status(2, recorded=False), None)],
        ids=["a crash that has told", "a number whose Job may have run and be gone"],
    )
    def test_a_pause_while_nothing_runs_shows_what_is_known_to_be_saved(
        self, before: TrainingJobStatus, evidence: str | None
    ) -> None:
        saved = reported.checkpoint_of(report().checkpoint or fail())
        pause = shown(look(training_job(before.model_copy(update={"checkpoint": saved}), suspend=True))).pause
        assert pause is not None
        assert (pause.saved_step, pause.lost_steps, pause.evidence) == (30, None, evidence)

    def test_what_an_attempt_before_has_saved_unheard_is_not_denied(self) -> None:
        job = training_job(open_status(2, pause=PAUSING), suspend=True)
        status = shown(look(job, suspended_job(2), gone=(pod(attempt=2, started=None, phase="Failed"),)))
        assert status.pause is not None
        assert (status.pause.saved_step, status.pause.lost_steps, status.pause.evidence) == (None, None, None)
        told = (status.condition(ConditionType.SUSPENDED) or fail()).message
        assert told == "Nobody saw what was saved; the next attempt tells if it finds a checkpoint."

    def test_a_program_that_crashed_before_the_pause_is_not_promised_to_tell_what_it_saved(self) -> None:
        job = training_job(ended_status(end="Crash", retry_time=NOW), suspend=True, **SCRIPT)
        status = shown(look(job, failed_job()))
        assert status.pause is not None
        assert (status.pause.saved_step, status.pause.lost_steps, status.pause.evidence) == (None, None, None)
        told = (status.condition(ConditionType.SUSPENDED) or fail()).message
        assert told == "Nobody saw what was saved; the next attempt tells if it finds a checkpoint."

    def test_what_nobody_saw_is_not_claimed(self) -> None:
        observed = look(training_job(open_status(pause=PAUSING), suspend=True), suspended_job())
        status = shown(observed)
        assert status.pause is not None
        assert (status.pause.saved_step, status.pause.lost_steps, status.pause.evidence) == (None, None, None)
        assert "Nobody saw" in (status.condition(ConditionType.SUSPENDED) or fail()).message

    @pytest.mark.parametrize(
        ("resume", "completed", "lost"),
        [
            ({}, 1, 0),
            ({}, 100, 0),
            ({"onRequest": False}, 1, 7),
            ({"onRequest": False, "fromStep": 40}, 1, None),
        ],
        ids=[
            "it was saved on request",
            "it was saved on request, says a pod whose clock is ahead",
            "it was not saved on request: what was done since is lost",
            "what was done since is not known",
        ],
    )
    def test_the_next_attempt_tells(self, resume: dict[str, Any], completed: float, lost: int | None) -> None:
        pause = self.after_resume(resume, completed)
        assert (pause.saved_step, pause.lost_steps, pause.evidence) == (
            resume.get("fromStep", 30),
            lost,
            "NextAttempt",
        )

    def test_what_a_later_attempt_saved_proves_nothing(self) -> None:
        assert self.after_resume({"onRequest": False}, completed=100).evidence is None

    def after_resume(self, resume: dict[str, Any], completed: float) -> PauseStatus:
        """A pause of attempt 1 at step 37 that nobody saw, once attempt 2 has told what it found."""
        unknown = PauseStatus(request_time=ago(200), resources_released=True, completed_time=ago(completed))
        told = report(step=37, epoch=3, saved=None)
        paused = reported.absorb(ended_status(pause=unknown), told, ago(100))
        status = open_status(2, pause=unknown, progress=paused.progress)
        observed = look(
            training_job(status), job(2), pod(attempt=2), report=report(attempt=2, resume={**RESUME, **resume})
        )
        pause = shown(observed).pause
        assert pause is not None
        return pause

    def test_notices_are_those_of_the_last_report(self) -> None:
        told = reported.absorb(open_status(), report(notices=["a.txt is not read"]), ago(100))
        assert told.notices == ["a.txt is not read"]
        assert reported.absorb(told, report(), ago(90)).notices == []

    def test_a_pause_without_a_running_attempt(self) -> None:
        status = shown(look(training_job(ended_status(end="Crash"), suspend=True), failed_job()))
        assert status.pause is not None
        assert status.pause.resources_released is True

    def test_a_resumed_job_keeps_the_record_of_its_pause(self) -> None:
        paused = PauseStatus(request_time=ago(9), resources_released=True, saved_step=30, evidence="PodReport")
        status = shown(look(training_job(ended_status(pause=paused)), suspended_job()))
        assert status.attempt == 2
        assert status.pause == paused


class TestRestarts:
    @pytest.mark.parametrize(
        ("restarts", "seconds"), [(0, 10), (1, 20), (2, 40), (9, 300)], ids=["first", "second", "third", "tenth"]
    )
    def test_the_backoff_doubles_up_to_its_limit(self, restarts: int, seconds: int) -> None:
        spec = {"restart": {"maxRestarts": 10}}
        status = shown(look(training_job(open_status(restarts=restarts), **spec), failed_job(), pod(code=1)))
        assert status.retry_time == NOW + timedelta(seconds=seconds)
        assert status.restarts == restarts + 1

    def test_an_end_is_counted_once(self) -> None:
        once = shown(look(training_job(open_status()), failed_job(), pod(code=1)))
        again = shown(look(training_job(once), failed_job(), pod(code=1)))
        assert again.restarts == 1

    def test_a_disruption_is_counted_apart_and_goes_on_at_once(self) -> None:
        drained = pod(code=43, conditions=(condition("DisruptionTarget", reason="EvictionByEvictionAPI"),))
        status = shown(look(training_job(open_status()), failed_job(), drained))
        assert (status.restarts, status.disruptions, status.retry_time) == (0, 1, None)

    def test_what_ends_every_attempt_as_it_begins_makes_no_hot_loop(self) -> None:
        drained = pod(code=43, conditions=(condition("DisruptionTarget", reason="EvictionByEvictionAPI"),))
        status = shown(look(training_job(open_status()), failed_job(age=2), drained))
        assert status.retry_time == NOW + timedelta(seconds=8)

    def test_what_was_retried_is_no_longer_waited_for(self) -> None:
        status = shown(look(training_job(ended_status(end="Crash", retry_time=NOW)), failed_job()))
        assert (status.attempt, status.retry_time) == (2, None)

    def test_a_late_start_is_written_down_before_the_pods_end(self) -> None:
        starting = report(step=0, saved=None, state=State.STARTING)
        spec = {"deadlines": {"startSeconds": 5}}
        status = shown(look(training_job(open_status(), **spec), job(), pod(), report=starting))
        assert status.last_failure is not None
        assert status.last_failure.reason is Reason.START_DEADLINE_EXCEEDED
        assert status.restarts == 0
        late = shown(look(training_job(status, **spec), suspended_job(), gone=(pod(code=43),)))
        assert (late.restarts, late.last_failure) == (1, status.last_failure)


class TestProgress:
    def test_an_epoch_is_shown(self) -> None:
        status = shown(look(training_job(open_status()), job(), pod(), report=report(3, 31, secondsRemaining=61.6)))
        progress = status.progress
        assert progress is not None
        assert (progress.epoch_text, progress.percent, progress.step) == ("3/10", 30, 31)
        assert (progress.seconds_remaining, progress.remaining_text) == (62, "1m2s")

    def test_what_is_done_after_the_last_epoch_is_shown_at_once(self) -> None:
        first = shown(look(training_job(open_status()), job(), pod(), report=report(10, 99), now=ago(1)))
        doing = {"doing": "exporting to ONNX", "done": 2, "tasks": 4}
        finishing = report(10, 100, state=State.FINISHING, finishing=doing, secondsRemaining=4)
        status = shown(look(training_job(first), job(), pod(), report=finishing))
        assert status.progress is not None
        assert (status.phase, status.progress.doing) == (Phase.FINISHING, "exporting to ONNX (3/4)")
        assert status.progress.remaining_text == "4s"
        running = status.condition(ConditionType.RUNNING)
        assert running is not None
        assert (running.status, running.reason) == ("True", Reason.FINISHING)

    def test_a_state_of_a_later_release_counts_as_training(self) -> None:
        words = report().model_dump_json(by_alias=True).replace('"training"', '"distilling"')
        assert Progress.model_validate_json(words).state is State.TRAINING

    def test_not_more_often_than_every_ten_seconds(self) -> None:
        first = shown(look(training_job(open_status()), job(), pod(), report=report(1, 10), now=ago(9)))
        soon = look(training_job(first), job(), pod(), report=report(2, 20))
        assert same(shown(soon), first)
        assert look_again(soon, Situation.ACTIVE) == 1
        due = shown(look(training_job(first), job(), pod(), report=report(2, 20), now=NOW + timedelta(seconds=1)))
        assert due.progress is not None
        assert due.progress.epoch == 2

    def test_steps_alone_are_no_news(self) -> None:
        first = shown(look(training_job(open_status()), job(), pod(), report=report(1, 10), now=ago(99)))
        assert same(shown(look(training_job(first), job(), pod(), report=report(1, 19))), first)

    def test_what_is_written_anyway_takes_the_newest_along(self) -> None:
        first = shown(look(training_job(open_status()), job(), pod(), report=report(1, 10), now=ago(1)))
        edited = training_job(first, suspend=False).model_copy(
            update={"metadata": training_job().metadata.model_copy(update={"generation": 2})}
        )
        status = shown(look(edited, job(), pod(), report=report(1, 19)))
        assert status.progress is not None
        assert status.progress.step == 19

    def test_another_attempts_word_does_not_count(self) -> None:
        observed = look(training_job(open_status(2)), job(2), pod(attempt=2), report=report(attempt=1))
        assert shown(observed).progress is None

    def test_numbers_are_for_people(self) -> None:
        latest = {"epoch": 3, "trainLoss": 0.123456789, "validationAccuracy": 0.9666666666, "extra": {"bleu": 2 / 3}}
        metrics = shown(look(training_job(open_status()), job(), pod(), report=report(latest=latest))).metrics
        assert metrics is not None
        assert metrics.latest is not None
        assert (metrics.latest.train_loss, metrics.latest.validation_accuracy) == (0.123457, 0.966667)
        assert metrics.latest.extra == {"bleu": 0.666667}

    def test_a_failed_save_is_told_and_training_goes_on(self) -> None:
        observed = look(training_job(open_status()), job(), pod(), report=report(checkpointProblem="disk full"))
        status = shown(observed)
        told = status.condition(ConditionType.CHECKPOINT_AVAILABLE)
        assert told is not None
        assert (told.status, told.reason) == ("True", Reason.SAVE_FAILED)
        assert "disk full" in told.message
        unheard = shown(look(training_job(status), job(), pod()))
        assert same(unheard, status)


QUIET = shown(look(training_job(open_status()), job(), pod()))
BEFORE = shown(look(training_job(open_status()), job(), pod(), report=report(1, 10), now=ago(99)))
RESUMED = shown(look(training_job(open_status()), job(), pod(), report=report(1, 10, saved=None), now=ago(99)))
ROUTINE: list[tuple[str, TrainingJobStatus, Observed, bool]] = [
    ("an epoch", BEFORE, look(training_job(BEFORE), job(), pod(), report=report(2, 20, saved=20)), True),
    ("nothing", BEFORE, look(training_job(BEFORE), job(), pod(), report=report(1, 10)), False),
    ("the first report", QUIET, look(training_job(QUIET), job(), pod(), report=report(saved=None)), False),
    ("the first checkpoint", RESUMED, look(training_job(RESUMED), job(), pod(), report=report(2, 20)), False),
    (
        "a resume",
        RESUMED,
        look(training_job(RESUMED), job(), pod(), report=report(2, saved=None, resume=RESUME)),
        False,
    ),
    (
        "a save that failed",
        BEFORE,
        look(training_job(BEFORE), job(), pod(), report=report(2, checkpointProblem="full")),
        False,
    ),
    ("a pause", BEFORE, look(training_job(BEFORE, suspend=True), job(), pod(), report=report(2)), False),
    ("an end", BEFORE, look(training_job(BEFORE), complete_job(), gone=(pod(code=0),), report=report(10)), False),
]


@pytest.mark.parametrize(
    ("before", "observed", "may_wait"), [case[1:] for case in ROUTINE], ids=[case[0] for case in ROUTINE]
)
def test_only_the_numbers_of_a_training_that_goes_on_may_wait(
    before: TrainingJobStatus, observed: Observed, may_wait: bool
) -> None:
    assert is_routine(before, shown(observed)) is may_wait


def test_an_empty_dir_is_no_checkpoint() -> None:
    observed = look(training_job(open_status(), checkpoint__volume={"emptyDir": {}}), job(), pod(), report=report())
    told = shown(observed).condition(ConditionType.CHECKPOINT_AVAILABLE)
    assert told is not None
    assert (told.status, told.reason) == ("False", Reason.EPHEMERAL_VOLUME)


def test_what_is_finished_stays_finished_whatever_stands_in_the_way() -> None:
    done = shown(look(training_job(open_status()), complete_job(), pod(code=0)))
    status = shown(look(training_job(done), complete_job()), Obstacle(Reason.FORBIDDEN, "the Job cannot be deleted"))
    assert status.is_true(ConditionType.COMPLETE)


def test_trouble_is_told() -> None:
    observed = look(training_job(open_status(recorded=False)))
    status = shown(observed, Obstacle(Reason.NAME_TAKEN, "Job digits-1 exists"))
    assert true_conditions(status) == {"Stalled": "NameTaken"}


@pytest.mark.parametrize("state", [State.RUNNING, State.RESTORING, State.TRAINING])
def test_a_program_is_never_late_by_the_operators_clock(state: State) -> None:
    told = report(epoch=0, step=0, saved=None, epochs=0, state=state)
    observed = look(training_job(open_status(), **SCRIPT), job(), pod(started=10_000), report=told)
    assert first_step(observed) is None
    progress = shown(observed).progress
    assert (progress is None) is (state is not State.TRAINING)
    assert progress is None or (progress.epoch_text, progress.percent) == ("0", None)


def test_a_lost_node_is_told_with_what_helps() -> None:
    observed = dataclasses.replace(look(training_job(open_status()), job(), pod()), lost_nodes=("node-a",))
    status = shown(observed)
    assert true_conditions(status) == {"Stalled": "NodeLost"}
    assert "kubectl delete node node-a" in (status.condition(ConditionType.STALLED) or fail()).message


NAMED = ("Pod digits-1-0-abcde: status.containerStatuses: not a time",)


@pytest.mark.parametrize(
    ("observed", "situation"),
    [
        (look(training_job(open_status()), job(), pod()), Situation.ACTIVE),
        (look(training_job(ended_status(end="Crash")), failed_job()), Situation.WAITING_FOR_PODS),
        (look(training_job(open_status(2, recorded=False)), failed_job()), Situation.WAITING_FOR_PODS),
        (look(training_job(open_status()), failed_job(), pod(code=1)), Situation.STOPPING),
        (look(training_job(ended_status(), suspend=True)), Situation.WAITING_FOR_PODS),
    ],
    ids=["it trains", "the next would begin", "its Job would be made", "its end would be judged", "paused"],
)
def test_a_child_that_cannot_be_read_is_named_and_nothing_begins_or_ends(
    observed: Observed, situation: Situation
) -> None:
    beside = dataclasses.replace(observed, unreadable=NAMED)
    assert decide(beside).situation is situation
    told = shown(beside).condition(ConditionType.STALLED) or fail()
    assert (told.status, told.reason) == ("True", Reason.UNREADABLE_CHILD)
    assert NAMED[0] in told.message


class TestReadInPart:
    """A manifest with a field that is newer than the operator."""

    def unreadable(self, status: TrainingJobStatus | None = None, **spec: Any) -> TrainingJob:
        raw = raw_training_job(**spec) | {"status": (status or TrainingJobStatus()).to_json_object()}
        raw["spec"]["training"] = {"task": "alchemy"}
        read = read_training_job(raw)
        assert isinstance(read, ReadInPart)
        return read

    def test_nothing_begins_and_the_field_is_named(self) -> None:
        status = shown(look(self.unreadable()))
        assert (status.phase, status.attempt) == (Phase.PENDING, 0)
        assert true_conditions(status) == {"Stalled": "InvalidSpec"}
        assert "training.task" in (status.condition(ConditionType.STALLED) or fail()).message

    def test_it_settles(self) -> None:
        status = shown(look(self.unreadable()))
        assert same(shown(look(self.unreadable(status), now=NOW + timedelta(seconds=5))), status)

    def test_what_runs_goes_on(self) -> None:
        status = shown(look(self.unreadable(open_status()), job(digest="of the whole spec"), pod()))
        assert true_conditions(status) == {"Stalled": "InvalidSpec", "Running": "InvalidSpec"}

    def test_it_can_be_paused(self) -> None:
        running = look(self.unreadable(open_status(), suspend=True), job(digest="of the whole spec"), pod())
        assert [type(action) for action in decide(running).actions] == [SuspendJob]
        saved = pod(code=43, message=said(43, Outcome.STOPPED))
        ended = shown(look(self.unreadable(shown(running), suspend=True), suspended_job(), gone=(saved,)))
        assert ended.is_true(ConditionType.SUSPENDED)
        assert (ended.pause or fail()).saved_step == 30

    def test_its_end_is_recorded(self) -> None:
        done = shown(look(self.unreadable(open_status()), complete_job(), pod(code=0)))
        assert done.is_true(ConditionType.COMPLETE)

    def test_an_attempts_number_is_never_guessed(self) -> None:
        raw = raw_training_job() | {"status": {"attempt": "many"}}
        with pytest.raises(ValidationError):
            read_training_job(raw)


class TestOtherReleases:
    """Objects that an older or a newer release has written."""

    def test_words_of_a_newer_release_are_kept(self) -> None:
        status = shown(look(training_job(open_status()), job(), pod())).to_json_object()
        status["conditions"][0]["reason"] = "Levitating"
        status["phase"] = "Floating"
        status["conditions"].append({**status["conditions"][0], "type": "Weightless", "status": "True"})
        status["lastFailure"] = {"attempt": 1, "reason": "Gravity", "message": "", "time": "2026-01-31T12:00:00Z"}
        raw = raw_training_job(suspend=True) | {"status": status}
        read = read_training_job(raw)
        assert not isinstance(read, ReadInPart)
        plan = decide(look(read, job(), pod()))
        assert [type(action) for action in plan.actions] == [SuspendJob]

    def test_restarts_that_an_older_release_has_counted_count(self) -> None:
        old = open_status(restarts=3)
        assert old.recent_restarts is None
        failed = shown(look(training_job(old), failed_job(), pod(code=1)))
        assert (failed.condition(ConditionType.FAILED) or fail()).reason == "RestartBudgetSpent"

    def test_a_pause_that_an_older_release_began_ends(self) -> None:
        """It suspended Jobs without writing why."""
        pausing = PauseStatus(request_time=ago(5), resources_released=False)
        suspended = job(1, condition("Suspended"), suspended=True)
        observed = look(training_job(open_status(pause=pausing), suspend=True), suspended)
        assert [type(action) for action in decide(observed).actions] == [DeleteJob]
        saved = pod(code=43, message=said(43, Outcome.STOPPED))
        ended = shown(look(training_job(open_status(pause=pausing), suspend=True), gone=(saved,)))
        assert (ended.pause or fail()).saved_step == 30


def test_what_a_failed_pass_has_met_is_shown_over_the_status_of_before() -> None:
    before = shown(look(training_job(open_status()), job(), pod()))
    status = held_up(before, Obstacle(Reason.RECONCILE_FAILED, "a webhook answers 500"), 2, NOW)
    assert true_conditions(status) == {"Stalled": "ReconcileFailed", "Running": "Training"}
    assert same(held_up(status, Obstacle(Reason.RECONCILE_FAILED, "a webhook answers 500"), 2, ago(-9)), status)


def fail() -> Any:
    raise AssertionError("there is no such condition")
