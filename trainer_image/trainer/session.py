"""The seam between a training program and its surroundings: when to stop, what to report, how to save and restore.

The built-in loop uses nothing else, and a program of one's own needs nothing else.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from trainer.agreement import Agreement, Answer
from trainer.checkpoint.cadence import Cadence
from trainer.checkpoint.files import Content
from trainer.checkpoint.folder import Folder
from trainer.checkpoint.saving import Saver
from trainer.config import RankConfig
from trainer.distributed import World
from trainer.errors import NotSaved, SaveFailed, Stopped
from trainer.learning.exactness import Likeness
from trainer.pod.run_folder import RunFolder
from trainer.pod.surroundings import Surroundings
from trainer.reporting.history import History
from trainer.resumable import FACTS, Resumable
from trainingjob_api.history import row_of
from trainingjob_api.progress import EpochMetrics, Resumption, State

if TYPE_CHECKING:
    from trainer.reporting.event_files import EventFiles

_AT_A_DISK = (State.SAVING, State.STOPPING, State.FINISHING, State.FINISHED)


class Run:
    """One attempt as one rank sees it. Every method is called by all ranks at the same place of the program."""

    def __init__(self, around: Surroundings, world: World) -> None:
        config = around.config.run
        self.config = config
        self.world = world
        self.board = around.board
        self.log = around.log
        self._pulse = around.pulse
        self._run_folder = RunFolder(around.config.folder)
        self._folder = Folder(config)
        self._history = History(self._folder.path)
        self._saver = Saver(config, world, self.board, self._history, self._save_ended)
        self._cadence = Cadence(config.checkpoint_every, time=time.monotonic())
        self._agreement = Agreement(world, lambda: around.stop.is_set, self._wants_save)
        self._answer = Answer()
        self._is_put_off = False
        self._checks: list[Callable[[], None]] = [self._saver.check]
        self._passed_over: tuple[str, ...] = ()
        self._event_files: EventFiles | None = None
        self._telling = threading.Lock()
        self._after_epochs: Callable[[], None] = lambda: None
        self._meet_neighbours(around.config)

    def _meet_neighbours(self, config: RankConfig) -> None:
        """So that this pod's supervisor can ask others where their ranks are."""
        if config.world_size == config.local_world_size:
            return
        pods = self.world.gather((config.pod_ip or "").encode())[:: config.local_world_size]
        if config.local_rank == 0:
            others = {ip.decode() for ip in pods} - {config.pod_ip, ""}
            self._run_folder.write_neighbours(sorted(others))

    def watch(self, check: Callable[[], None]) -> None:
        """check raises if the state is not fit to go on; it runs before every save and a few times a second."""
        self._checks.append(check)

    def after_epochs(self, call: Callable[[], None]) -> None:
        """Called on rank 0 after every epoch."""
        self._after_epochs = call

    def facts_before(self) -> Content | None:
        """The facts of the newest checkpoint, before its state can be loaded; None if there is none. Collective."""
        found = self._folder.store().file_of_newest(FACTS) if self.world.is_rank_zero else None
        return self.world.from_rank_zero(found or b"") or None

    def restore(self, state: Resumable) -> None:
        """Makes the state that of the newest checkpoint that is whole, if there is one."""
        self.enter(State.RESTORING)
        files = self._newest_files()
        if files:
            likeness = state.load(files, self.world)
            self._saver.saved = state.position
            self._note_resumption(likeness)
        self.board.epoch, self.board.step = state.position.epoch, state.position.step
        self.board.best = state.best_metrics
        self._cadence.saved(state.position.step, state.position.epoch, time.monotonic())
        if self.world.is_rank_zero:
            known = self._history.keep_until(state.position.epoch)
            self.board.resumed(state.position.step, state.position.epoch, known)
            epochs = self._history.epochs()
            self.board.latest = epochs[-1] if epochs else None
            self._run_folder.add_page(self.board.history.begin(state.position.epoch, self._history.rows()))
            self._open_event_files()
            self.tell_supervisor()

    def _open_event_files(self) -> None:
        recipe = self.config.training
        if recipe is None or not recipe.tensorboard:
            return
        from trainer.reporting.event_files import EventFiles

        self._event_files = EventFiles(self._folder.path, self._folder.generation)
        try:
            self._event_files.rewrite(self._history.timed_epochs())
        except OSError as error:
            self.log.event("tensorboard failed", problem=str(error))

    def count_step(self, samples: int) -> None:
        """One optimizer step over so many samples of all ranks is done."""
        self.board.stepped(samples)
        self._pulse.has_stepped = True
        self._pulse.beat(State.TRAINING, self.board.step, self.config.deadlines.step_seconds, self.board.epoch)

    def should_stop(self, now: bool = False) -> bool:
        """Whether somebody has asked any rank to stop; all ranks hear it after the same step.

        now: ask the others at once instead of every few steps, such as at the end of an epoch.
        """
        if self._agreement.is_due() or now:
            self._check()
            self._answer = self._agreement.ask()
        return self._answer.stop

    def _wants_save(self) -> bool:
        """Rank 0's word: by the clock, or at the end of an epoch, a save is not worth waiting for the one before."""
        is_due = self._is_put_off or self._cadence.is_due_by_time(time.monotonic())
        return is_due and self._saver.is_free

    def save_is_due(self, epoch_done: bool = False) -> bool:
        """Whether an interval of the recipe is over.

        One of steps is a promise of how many can be lost, and training waits for the disk to keep it. Any other save is
        put off while the one before is still written: a slow disk makes them rarer, and nothing slower.
        """
        if self._answer.save or self._cadence.is_due_by_step(self.board.step):
            return True
        if not epoch_done or not self._cadence.is_due_by_epoch(self.board.epoch):
            return False
        is_busy = self.world.is_rank_zero and not self._saver.is_free
        self._is_put_off = bool(self.world.maximum([is_busy])[0])
        return not self._is_put_off

    def save(self, state: Resumable, required: bool = False) -> None:
        """Takes a copy of the state, which is then written while training goes on.

        After a stop was agreed this is the end, once it is on disk: raises Stopped, or NotSaved. A save that fails
        otherwise is reported and tried again after the next interval; if it is required, it is waited for and raises.
        """
        before = self.board.state
        self.enter(State.STOPPING if self._answer.stop else State.SAVING)
        self._check()
        step, stops = state.position.step, self._answer.stop
        problem = self._saver.save(state, on_request=stops, wait=required or stops)
        self._answer, self._is_put_off = Answer(stop=stops), False
        self._cadence.saved(step, state.position.epoch, time.monotonic())
        if stops and problem:
            raise NotSaved(f"stopped on request at step {step}, which could not be saved: {problem}")
        if stops:
            raise Stopped(f"stopped on request; saved at step {step}, epoch {state.position.epoch}")
        if problem:
            raise SaveFailed(f"the end of training, step {step}, could not be saved: {problem}")
        self.enter(before)

    def _save_ended(self, step: int, problem: str | None) -> None:
        """Called by the thread that has written it."""
        if problem:
            self.log.event("save failed", step=step, problem=problem)
        with suppress(OSError):  # a full /tmp is no reason to end; the next word makes up for this one
            self.tell_supervisor()

    def require_saved(self, state: Resumable) -> None:
        """For rank 0 alone, at the end: SaveFailed unless this very state is on disk."""
        self._saver.require(state.position)

    def report(self, metrics: EpochMetrics, best: EpochMetrics | None) -> None:
        """An epoch is done and measured."""
        self.board.epoch_done(metrics)
        self.board.best = best
        if self.world.is_rank_zero:
            self._history.append(metrics, attempt=self.config.attempt, step=self.board.step)
            row = row_of(metrics, self.config.attempt, self.board.step, time.time())
            self._run_folder.add_page(self.board.history.append(row, best.epoch if best else None))
            if self._event_files:
                self._event_files.append(metrics)
            self.log.epoch(metrics, is_best=best == metrics)
            self.tell_supervisor()
            self._after_epochs()

    def enter(self, state: State) -> None:
        """What comes next; each phase has an allowance of its own."""
        self.board.enter(state)
        self._pulse.has_stepped |= state in (State.EVALUATING, *_AT_A_DISK)
        self._pulse.beat(state, self.board.step, self._allowance(state), self.board.epoch)

    @contextmanager
    def doing(self, task: str) -> Iterator[None]:
        """A task of the agenda, after the last epoch; for rank 0 alone, or for all."""
        with self.board.agenda.during(task):
            self.enter(State.FINISHING)
            if (finishing := self.board.agenda.shown) is not None:
                self.log.finishing(finishing)
            self.tell_supervisor()
            yield

    def _allowance(self, state: State) -> float:
        deadlines = self.config.deadlines
        if not self._pulse.has_stepped:
            return deadlines.start_seconds
        saving = state in _AT_A_DISK
        return deadlines.step_seconds + (deadlines.save_seconds if saving else 0)

    def _newest_files(self) -> dict[str, Content]:
        """Read by rank 0 only, and proven there; the others take its word."""
        names: list[str] = []
        contents: list[Content] = []
        if self.world.is_rank_zero:
            store = self._folder.store()
            store.remove_unfinished()
            if loaded := store.newest():
                self.board.checkpoint = loaded.saved
                self._passed_over = loaded.passed_over
                names, contents = list(loaded.files), list(loaded.files.values())
        listing = bytes(self.world.from_rank_zero("\n".join(names).encode())).decode()
        names = listing.split("\n") if listing else []
        return {
            name: self.world.from_rank_zero(contents[index] if contents else None) for index, name in enumerate(names)
        }

    def _note_resumption(self, likeness: Likeness) -> None:
        saved = self.board.checkpoint
        if saved is None:  # not rank 0
            return
        # Steps are done again where newer checkpoints are damaged: whoever owns the volume must hear of it.
        reasons = [*([likeness.reason] if likeness.reason else []), *self._passed_over[:3]]
        self.board.resume = Resumption(
            from_step=saved.step,
            from_attempt=saved.attempt,
            exactness=likeness.exactness,
            reason="; ".join(reasons) or None,
            save_time=saved.save_time,
            on_request=saved.on_request,
        )
        facts = {"exactness": likeness.exactness, "reason": self.board.resume.reason}
        self.log.event("resumed", step=saved.step, epoch=saved.epoch, **facts)

    def _check(self) -> None:
        for check in self._checks:
            check()

    def tell_supervisor(self) -> None:
        """What the pod's last word will say."""
        if self.world.is_rank_zero:
            with self._telling:
                self._run_folder.write_progress(self.board.progress())
