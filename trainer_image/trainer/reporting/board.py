"""What this rank knows of its training: written by the loop, read by the exporter, the log and the supervisor.

Plain attributes; documents and metrics are made from them only when somebody asks, so a step pays next to nothing.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from trainer.learning.plan import Plan
from trainer.reporting.agenda import Agenda
from trainer.reporting.epoch_log import EpochLog
from trainingjob_api.progress import (
    NOTICES_LIMIT,
    EpochMetrics,
    Progress,
    Resumption,
    RunConfig,
    SavedCheckpoint,
    State,
    TestMetrics,
)

T = TypeVar("T")

_LONGEST_NOTICE = 512
STEP_BUCKETS = (0.0005, 0.002, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0)


@dataclass
class StepTimes:
    """A histogram of step durations, in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(STEP_BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(STEP_BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass(frozen=True)
class Activity:
    """How long each state has lasted so far; another one takes its place, so that who reads it sees one moment."""

    state: State = State.STARTING
    since: float = field(default_factory=time.monotonic)
    seconds: Mapping[State, float] = field(default_factory=dict)

    def until(self, now: float) -> dict[State, float]:
        return {**self.seconds, self.state: self.seconds.get(self.state, 0.0) + now - self.since}

    def followed_by(self, state: State, now: float) -> "Activity":
        return Activity(state, now, self.until(now))


@dataclass
class Board:
    """The newest of everything."""

    run: RunConfig
    state: State = State.STARTING
    rank: int = 0
    world_size: int = 1
    epoch: int = 0
    step: int = 0
    samples: int = 0
    plan: Plan | None = None
    """None until the data is read, or a program has done its first epoch."""
    epochs_asked: int | None = None
    """By a program, once it says so."""
    gradient_norm: float | None = None
    latest: EpochMetrics | None = None
    best: EpochMetrics | None = None
    test: TestMetrics | None = None
    checkpoint: SavedCheckpoint | None = None
    checkpoint_problem: str | None = None
    notices: tuple[str, ...] = ()
    """What a person should know of data and recipe."""
    resume: Resumption | None = None
    agenda: Agenda = field(default_factory=Agenda)
    """What is to be done after the last epoch."""
    step_times: StepTimes = field(default_factory=StepTimes)
    last_step_time: float | None = None
    began_at: int = 0
    """The step of the checkpoint that this attempt went on from."""
    replays_to: int = 0
    """The last step that an earlier attempt is known to have done."""
    data_wait: float = 0.0
    """Seconds of this attempt that the loop has waited for batches."""
    device_memory: Callable[[], int] | None = None
    """Bytes in use on the accelerator; None without one."""
    history: EpochLog = field(init=False)
    """Every epoch, also of the attempts before."""
    _activity: Activity = field(default_factory=Activity)
    _previous: float | None = None
    _pace: float | None = None

    def __post_init__(self) -> None:
        self.history = EpochLog(self.run.uid, self.run.attempt)

    def enter(self, state: State) -> None:
        """A pause between steps must not count as a slow step."""
        self._activity = self._activity.followed_by(state, time.monotonic())
        self.state = state
        self._previous = None

    def begin(self, run: RunConfig) -> None:
        """Another training of the same program takes the place of the one before."""
        self.run, self.plan, self.epochs_asked = run, None, None
        self.epoch = self.step = self.began_at = self.replays_to = 0
        self.latest = self.best = self.test = self.checkpoint = self.checkpoint_problem = self.resume = None
        self.gradient_norm = self._pace = self._previous = None

    def activity(self) -> dict[State, float]:
        """Seconds in every state that there was."""
        return self._activity.until(time.monotonic())

    def stepped(self, samples: int) -> None:
        """One optimizer step more, of so many samples over all ranks."""
        now = time.monotonic()
        if self._previous is not None:
            self.step_times.add(now - self._previous)
        self._previous = now
        self.last_step_time = time.time()
        self.step += 1
        self.samples += samples

    def awaited(self, batches: Iterable[T]) -> Iterator[T]:
        """The same batches; adds up how long each made the loop wait."""
        source = iter(batches)
        while True:
            begin = time.perf_counter()
            batch = next(source, None)
            self.data_wait += time.perf_counter() - begin
            if batch is None:
                return
            yield batch

    def epoch_done(self, metrics: EpochMetrics) -> None:
        self.epoch = metrics.epoch
        self.latest = metrics
        if metrics.seconds_per_epoch:
            kept = 0.7 if self._pace else 0.0
            self._pace = kept * (self._pace or 0.0) + (1 - kept) * metrics.seconds_per_epoch

    def resumed(self, step: int, epoch: int, known_epochs: int) -> None:
        """Training goes on from a step in an epoch; an earlier attempt had done so many whole ones."""
        self.step = self.began_at = step
        plan = self.plan
        is_as_planned = plan is not None and plan.steps_before(epoch) <= step <= plan.steps_before(epoch + 1)
        # With another batch size than before nobody knows how many steps those were.
        self.replays_to = plan.steps_before(known_epochs) if plan and is_as_planned else 0

    @property
    def has_begun(self) -> bool:
        """Whether it is known where this attempt begins; before that, step and epoch are not those of the training."""
        return self.state not in (State.STARTING, State.RESTORING)

    @property
    def steps_replayed(self) -> int:
        return max(0, min(self.step, self.replays_to) - self.began_at)

    @property
    def steps(self) -> int | None:
        return self.plan.steps if self.plan else None

    @property
    def epochs(self) -> int:
        """0 while it is not known."""
        return self.plan.epochs if self.plan else self.epochs_asked or self.run.epochs_asked or 0

    @property
    def seconds_remaining(self) -> float | None:
        """By the pace of the last epochs, evaluation and saving included, and what usually comes after them."""
        if self.state is State.FINISHED:
            return 0.0
        rate = self.latest.samples_per_second if self.latest else None
        if self.agenda.has_begun:
            return self.agenda.seconds_left(rate)
        if self._pace is None or self.plan is None:
            return None
        stage = self.plan.stage_at(self.epoch)
        done = self.epoch + min(1.0, max(0, self.step - self.plan.steps_before(self.epoch)) / stage.steps_per_epoch)
        return max(0.0, self.epochs - done) * self._pace + self.agenda.seconds_left(rate)

    def progress(self) -> Progress:
        """The /progress document."""
        remaining = self.seconds_remaining
        return Progress(
            uid=self.run.uid,
            attempt=self.run.attempt,
            state=self.state,
            epoch=self.epoch,
            epochs=self.epochs,
            step=self.step,
            steps=self.steps,
            samples_per_second=self.latest.samples_per_second if self.latest else None,
            seconds_remaining=None if remaining is None else round(remaining, 1),
            finishing=self.agenda.shown if self.state is not State.FINISHED else None,
            latest=self.latest,
            best=self.best,
            test=self.test,
            checkpoint=self.checkpoint,
            checkpoint_problem=self.checkpoint_problem,
            notices=[notice[:_LONGEST_NOTICE] for notice in self.notices[:NOTICES_LIMIT]],
            resume=self.resume,
            update_time=datetime.now(UTC),
        )
