"""What runs in the pods of one attempt: ranks that step together, save, stop on request, and end as ours do."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from trainingjob_api.contract import attempt_name
from trainingjob_api.history import Columns, HistoryPage, Row, with_tail
from trainingjob_api.progress import EXIT_CODE_OF, Outcome, TerminationMessage
from unit.operator.world.clock import Clock
from unit.operator.world.objects import Raw

STEPS_PER_EPOCH = 10
EPOCHS_A_PAGE = 4

OnExit = Callable[[int, str], None]
"""Is told the exit code and the termination message."""


@dataclass(frozen=True)
class Saved:
    step: int
    attempt: int
    time: str
    on_request: bool = False


@dataclass
class Folder:
    """A TrainingJob's folder in its volume: it outlives every object."""

    saved: Saved | None = None
    furthest: int = 0
    """The highest step that was ever made, saved or not."""
    history: dict[int, int] = field(default_factory=dict)
    """history.jsonl: which attempt did each epoch."""
    trained: set[tuple[int, int]] = field(default_factory=set)
    """Every epoch and attempt that there ever was."""


@dataclass(frozen=True)
class Character:
    """How an attempt will go."""

    seconds_per_step: float = 0.5
    restore_seconds: float = 2.0
    save_seconds: float = 1.0
    fate: tuple[Outcome, float] | None = None
    """An end of its own, so many seconds after the first step."""
    cannot_save: bool = False
    ignores_sigterm: bool = False
    is_deaf: bool = False
    """Nobody can reach its /progress."""
    falls_silent_after: float | None = None
    epochs_told: int | None = None
    """Another number than the recipe's."""


@dataclass
class Training:
    """All ranks of an attempt; they step once all of them are there."""

    clock: Clock
    rng: random.Random
    folder: Folder
    run: Raw
    """The RunConfig from the environment."""
    nodes: int
    character: Character
    ranks: dict[int, OnExit] = field(default_factory=dict)
    joined: dict[int, float] = field(default_factory=dict)
    began: float | None = None
    ceased: float | None = None
    is_stopping: bool = False
    resumed: Saved | None = None

    # The way of the training

    @property
    def name(self) -> str:
        """Of the attempt's Job."""
        return attempt_name(self.run["name"], int(self.run["attempt"]))

    @property
    def is_stepping(self) -> bool:
        return self.began is not None and self.began <= self.clock.seconds and self.ceased is None

    @property
    def total(self) -> int:
        return int(self.run["training"]["epochs"]) * STEPS_PER_EPOCH

    @property
    def step(self) -> int:
        start = self.resumed.step if self.resumed else 0
        if self.began is None:
            return start
        until = self.clock.seconds if self.ceased is None else self.ceased
        done = int(max(0.0, until - self.began) / self.character.seconds_per_step)
        return min(max(start, self.total), start + done)

    @property
    def saved(self) -> Saved | None:
        """The newest checkpoint: one at the end of every epoch."""
        whole = self.step // STEPS_PER_EPOCH * STEPS_PER_EPOCH
        if self.began is None or whole <= (self.folder.saved.step if self.folder.saved else 0):
            return self.folder.saved
        return Saved(whole, int(self.run["attempt"]), self.clock.stamp())

    def join(self, rank: int, on_exit: OnExit) -> None:
        self.ranks[rank] = on_exit
        self.joined[rank] = self.clock.seconds
        if len(self.ranks) == self.nodes and self.began is None:
            self.resumed = self.folder.saved
            self.folder.history = {e: a for e, a in self.folder.history.items() if e <= self.began_at}
            self.began = self.clock.seconds + self.character.restore_seconds
            self._plan_the_end()

    def _plan_the_end(self) -> None:
        assert self.began is not None
        left = self.total - self.step
        lasts = self.character.restore_seconds + max(0, left) * self.character.seconds_per_step + 0.1
        if self.character.fate is not None and self.character.fate[1] < lasts:
            outcome, seconds = self.character.fate
            self.clock.after(self.character.restore_seconds + seconds, self._meet, outcome)
        else:
            self.clock.after(lasts, self._complete)

    def _complete(self) -> None:
        if not self.is_stopping and self._cease():
            for rank in list(self.ranks):
                self.clock.after(self.rng.uniform(0, 0.5), self.exit, rank, Outcome.COMPLETED)

    def _meet(self, outcome: Outcome) -> None:
        """One rank ends badly, and the others notice."""
        if self.is_stopping or not self._cease():
            return
        first = self.rng.choice(sorted(self.ranks))
        self.exit(first, outcome, "something went wrong in step " + str(self.step))
        for rank in list(self.ranks):
            self.clock.after(self.rng.uniform(0.2, 10), self.exit, rank, Outcome.PEER_LOST)

    def _cease(self) -> bool:
        """No further step; whether there could have been one."""
        if self.ceased is not None:
            return False
        self.folder.saved, self.ceased = self.saved, self.clock.seconds
        self.folder.furthest = max(self.folder.furthest, self.step)
        self._write_history()
        return True

    # Its epochs

    @property
    def began_at(self) -> int:
        """The whole epochs of the checkpoint."""
        return self.resumed.step // STEPS_PER_EPOCH if self.resumed else 0

    def _write_history(self) -> None:
        if self.ceased is None or self.ceased == self.clock.seconds:
            done = self.step // STEPS_PER_EPOCH
            self.folder.history |= dict.fromkeys(range(self.began_at + 1, done + 1), int(self.run["attempt"]))
            self.folder.trained |= set(self.folder.history.items())

    def page(self, after: int, only_own: bool = False) -> HistoryPage:
        """The document at /history, a few epochs at a time; only_own: what is left behind in the end."""
        self._write_history()
        known = {e: a for e, a in sorted(self.folder.history.items()) if e > (self.began_at if only_own else after)}
        rows = [Row(e, a, e * STEPS_PER_EPOCH, metrics={"trainLoss": 1 / e}) for e, a in known.items()]
        shown = rows if only_own else rows[:EPOCHS_A_PAGE]
        return HistoryPage(
            uid=self.run["uid"],
            attempt=self.run["attempt"],
            began=self.began_at,
            done=max(self.began_at, *self.folder.history, 0),
            columns=Columns.of(shown),
            more=len(shown) < len(rows),
        )

    # Signals

    def terminate(self, rank: int) -> None:
        """SIGTERM: all ranks agree on a step, save and leave; one that waits for its peers leaves at once."""
        if rank not in self.ranks or self.character.ignores_sigterm:
            return
        if self.clock.seconds - self.joined[rank] < 0.3:
            self.end(rank, 143, "")  # the trainer is not there yet
            if not self.ranks:
                self._cease()
        elif self.began is None or self.clock.seconds < self.began:
            self.exit(rank, Outcome.STOPPED)
            self.lose_peer()
        elif self.ceased is None and not self.is_stopping:
            self.is_stopping = True
            self.clock.after(self.rng.uniform(0.1, 1), self._save_and_leave)

    def kill(self, rank: int) -> None:
        """SIGKILL, by whomever."""
        if rank in self.ranks:
            self._cease()
            self.end(rank, 137, "")
            self.lose_peer()

    def lose_peer(self) -> None:
        """A rank is gone without a word."""
        self._cease()
        for rank in list(self.ranks):
            self.clock.after(self.rng.uniform(1, 10), self.exit, rank, Outcome.PEER_LOST)

    def _save_and_leave(self) -> None:
        if self._cease():
            self.clock.after(self.character.save_seconds, self._leave, len(self.ranks))

    def _leave(self, agreed: int) -> None:
        if len(self.ranks) < agreed or self.character.cannot_save:
            outcome = Outcome.NOT_SAVED
        else:
            outcome = Outcome.STOPPED
            self.folder.saved = Saved(self.step, int(self.run["attempt"]), self.clock.stamp(), on_request=True)
        for rank in list(self.ranks):
            self.clock.after(self.rng.uniform(0, 0.5), self.exit, rank, outcome)

    # Ends

    def exit(self, rank: int, outcome: Outcome, message: str = "") -> None:
        code = EXIT_CODE_OF[outcome]
        self.end(rank, int(code), self._last_words(rank, outcome, int(code), message))

    def end(self, rank: int, code: int, message: str) -> None:
        if on_exit := self.ranks.pop(rank, None):
            on_exit(code, message)

    def _last_words(self, rank: int, outcome: Outcome, code: int, message: str) -> str:
        state = "finished" if code == 0 else "stopping"
        words = {
            "uid": self.run["uid"],
            "attempt": self.run["attempt"],
            "nodeRank": rank,
            "outcome": outcome.value,
            "exitCode": code,
            "message": message,
            "time": self.clock.stamp(),
            "progress": self.report(state),
        }
        message = TerminationMessage.model_validate(words)
        return with_tail(message, self.page(0, only_own=True)).to_text() if rank == 0 else json.dumps(words)

    def report(self, state: str | None = None) -> Raw:
        """The document at /progress."""
        has_begun = self.began is not None and self.clock.seconds >= self.began
        seen = "training" if has_begun else "starting"
        step, saved, resumed = self.step, self.saved, self.resumed
        report: Raw = {
            "uid": self.run["uid"],
            "attempt": self.run["attempt"],
            "state": state or ("saving" if self.is_stopping else seen),
            "epoch": step // STEPS_PER_EPOCH,
            "epochs": self.character.epochs_told or self.total // STEPS_PER_EPOCH,
            "step": step,
            "updateTime": self.clock.stamp(),
        }
        if has_begun and state is None:
            seconds = self.character.seconds_per_step
            report |= {"samplesPerSecond": 32 / seconds, "secondsRemaining": (self.total - step) * seconds}
        if saved is not None:
            report["checkpoint"] = _checkpoint(saved)
        if resumed is not None:
            report["resume"] = {
                "fromStep": resumed.step,
                "fromAttempt": resumed.attempt,
                "exactness": "Bitwise",
                "saveTime": resumed.time,
                "onRequest": resumed.on_request,
            }
        return report

    @property
    def is_deaf(self) -> bool:
        """For a while at least."""
        return self.character.is_deaf or self.character.falls_silent_after is not None

    def answers(self) -> bool:
        """Whether rank 0 can be reached."""
        after = self.character.falls_silent_after
        fell_silent = after is not None and self.clock.seconds - self.joined.get(0, 0.0) > after
        return 0 in self.ranks and not self.character.is_deaf and not fell_silent


def _checkpoint(saved: Saved) -> Raw:
    return {
        "step": saved.step,
        "epoch": saved.step // STEPS_PER_EPOCH,
        "attempt": saved.attempt,
        "path": f"step-{saved.step}.{saved.attempt}",
        "sizeBytes": 1000,
        "saveTime": saved.time,
        "saveSeconds": 0.1,
        "onRequest": saved.on_request,
    }
