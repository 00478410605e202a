"""What the reconciler itself decides: progress waits for its turn, and a pass that fails is shown on the object."""

from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import pytest

from training_operator.act import Actor
from training_operator.attempt import Heard
from training_operator.budget import Budget
from training_operator.builders.metadata import spec_digest
from training_operator.cluster import Cluster, Listed, StatusTarget
from training_operator.errors import ConflictError, NotNowError, RefusedError, TryAgainError
from training_operator.histories import Histories
from training_operator.obstacle import BlockedError, Obstacle
from training_operator.poller import Poller
from training_operator.reconcile import Reconciler
from training_operator.recorder import EventRecorder
from training_operator.store import Kind, Store
from trainingjob_api.progress import Progress
from trainingjob_api.status import Condition, Reason, TrainingJobStatus
from unit.operator.factories import NOW, open_status, raw_job, raw_pod, raw_training_job, report, training_job

KEY = ("team", "digits")


class Life:
    """One TrainingJob that trains, and an API server that takes every status."""

    def __init__(self, per_second: float) -> None:
        self.seconds = 0.0
        self.store, self.written, self.read_again = Store(), list[TrainingJobStatus](), list[str]()
        self.heard: Progress | None = None
        self.trouble: Exception | None = None
        """With creating a Job, or with a status that tells what the trainer reports."""
        self.raw = {**raw_training_job(), "status": open_status().to_json_object()}
        job = raw_job(digest=spec_digest(training_job().spec))
        for kind, raw in ((Kind.TRAINING_JOB, self.raw), (Kind.JOB, job), (Kind.POD, raw_pod())):
            self.store.put(kind, raw)
        cluster = cast(Cluster, self)
        self.reconciler = Reconciler(
            cluster,
            self.store,
            cast(Poller, self),
            Actor(cluster, self.store, "trainer:1"),
            lambda: NOW + timedelta(seconds=int(self.seconds)),
            15.0,
            Budget(per_second, lambda: self.seconds),
            cast(Histories, self),
            EventRecorder(cluster, lambda: NOW),
        )

    async def passes(self, seconds: float, told: Progress) -> float | None:
        """One pass so many seconds later, when rank 0 says this; when it wants to look again."""
        self.seconds, self.heard = self.seconds + seconds, told
        return await self.reconciler.reconcile(KEY)

    def begin_anew(self) -> None:
        """The number is written down, and the Job comes next."""
        for kind, raw in ((Kind.JOB, raw_job()), (Kind.POD, raw_pod())):
            self.store.remove(kind, raw)
        self.raw = raw_training_job() | {"status": open_status(2, recorded=False).to_json_object()}
        self.store.put(Kind.TRAINING_JOB, self.raw)

    async def until_shown(self) -> int:
        """Passes that it takes until something is written."""
        before = len(self.written)
        for number in range(1, 9):
            with suppress(Exception):
                await self.reconciler.reconcile(KEY)
            if len(self.written) > before:
                return number
        return 0

    @property
    def stalled(self) -> Condition | None:
        return next((each for each in self.written[-1].conditions if each.type == "Stalled"), None)

    def edit(self, **spec: Any) -> None:
        self.raw = raw_training_job(**spec) | {"status": self.written[-1].to_json_object()}
        self.store.put(Kind.TRAINING_JOB, self.raw)

    # The cluster

    async def replace_status(self, target: StatusTarget, status: TrainingJobStatus) -> dict[str, Any]:
        if self.trouble is not None and status.progress is not None:
            raise self.trouble
        self.written.append(status)
        self.raw = {**raw_training_job(), "spec": self.raw["spec"], "status": status.to_json_object()}
        return self.raw

    async def list_pods(self, _: object) -> Listed:
        return Listed([], "1")

    async def get(self, plural: str, *_: str) -> dict[str, Any]:
        self.read_again.append(plural)
        return self.raw

    async def create(self, plural: str, manifest: dict[str, Any]) -> dict[str, Any]:
        if self.trouble is not None and plural == "jobs":
            raise self.trouble
        return manifest

    async def suspend_job(self, *_: str) -> dict[str, Any]:
        return raw_job(suspended=True)

    # The poller

    def follow(self, *_: object) -> None: ...

    def leave(self, *_: object) -> None: ...

    def report(self, _: object) -> Heard | None:
        return Heard(self.heard, 0.0) if self.heard else None


@pytest.fixture
async def life() -> Life:
    """A hundred seconds for each write of progress; the first is done, and the next but one waits for its turn."""
    life = Life(per_second=0.01)
    await life.passes(0, report(1, 10))  # the first word needs no turn
    await life.passes(20, report(2, 20))
    assert [status.progress.epoch for status in life.written if status.progress] == [1, 2]
    return life


async def test_progress_waits_for_its_turn_and_then_tells_the_newest(life: Life) -> None:
    assert await life.passes(20, report(3, 30)) == 80
    assert await life.passes(30, report(4, 40)) == 50
    assert len(life.written) == 2
    await life.passes(50, report(5, 50))
    assert [status.progress.epoch for status in life.written if status.progress] == [1, 2, 5]


async def test_a_pause_waits_for_nothing_and_takes_the_newest_along(life: Life) -> None:
    await life.passes(20, report(3, 30))
    life.edit(suspend=True)
    await life.passes(1, report(3, 30))
    assert life.written[-1].pause is not None
    assert life.written[-1].phase == "Pausing"


async def test_a_failed_save_waits_for_nothing(life: Life) -> None:
    await life.passes(20, report(3, 30))
    await life.passes(1, report(3, 30, checkpointProblem="disk full"))
    assert "disk full" in str(life.written[-1].to_json_object())


async def test_what_time_alone_changes_is_looked_at_before_the_turn(life: Life) -> None:
    life.edit(deadlines={"totalSeconds": 700})  # 600 of them have passed when it begins
    assert await life.passes(20, report(3, 30)) == 60


WEBHOOK = NotNowError('POST /apis/batch/v1/jobs: 500 failed calling webhook "mjob.kb.io"')


@pytest.mark.parametrize(
    ("trouble", "passes", "reason"),
    [
        (RefusedError(403, "exceeded quota"), 1, Reason.FORBIDDEN),
        (WEBHOOK, 3, Reason.RECONCILE_FAILED),
        (ZeroDivisionError("a defect"), 3, Reason.RECONCILE_FAILED),
        (TryAgainError("connection refused"), 0, None),
        (ConflictError("somebody was faster"), 0, None),
    ],
    ids=["refused", "a webhook answers 500", "a defect", "the API server is away", "a conflict"],
)
async def test_what_a_pass_fails_by_is_shown_once_it_lasts_and_a_person_can_do_something(
    trouble: Exception, passes: int, reason: Reason | None
) -> None:
    life = Life(per_second=1)
    life.begin_anew()
    life.trouble = trouble
    assert await life.until_shown() == passes
    if reason is not None:
        assert life.stalled is not None
        assert (life.stalled.status, life.stalled.reason) == ("True", reason)
        assert str(trouble) in life.stalled.message


async def test_after_a_conflict_the_object_is_read_before_anything_is_decided() -> None:
    life = Life(per_second=1)
    life.begin_anew()
    life.trouble = ConflictError("somebody was faster")
    with pytest.raises(ConflictError):
        await life.reconciler.reconcile(KEY)
    assert life.read_again == ["trainingjobs"]


async def test_a_number_that_the_api_server_refuses_makes_no_status_unwritable() -> None:
    life = Life(per_second=1)
    life.trouble = RefusedError(422, "status.progress.step: Invalid value")
    await life.passes(0, report(1, 10))
    assert life.stalled is not None
    assert life.stalled.reason == Reason.STATUS_REFUSED
    assert "status.progress.step" in life.stalled.message
    life.edit(suspend=True)
    await life.passes(1, report(1, 10))
    assert life.written[-1].phase == "Pausing"


@pytest.mark.parametrize(("needs_a_person", "seconds"), [(False, 2), (True, 15)])
async def test_what_time_alone_removes_is_looked_at_soon(needs_a_person: bool, seconds: float) -> None:
    life = Life(per_second=1)
    life.begin_anew()
    life.trouble = BlockedError(Obstacle(Reason.STILL_TERMINATING, "a claim of before", needs_a_person))
    assert await life.reconciler.reconcile(KEY) == seconds
