"""What a user's program holds of its run: it iterates epochs and batches, counts steps, and reports."""

import copy
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, Literal, SupportsFloat, TypeVar

import torch
import torch.distributed as dist

from trainer.checkpoint.folder import Folder
from trainer.cpus import cpus_of_rank
from trainer.errors import NonFinite, NotSaved, SaveFailed, Stopped, UserError
from trainer.learning.clock import EpochClock
from trainer.pod.program import Ended
from trainer.resumable import Position
from trainer.script.metrics import epoch_metrics, is_better, over_ranks, plan_so_far, read_report
from trainer.script.order import Entry, Orders, Place
from trainer.script.state import Mark, ScriptState
from trainer.session import Run
from trainingjob_api.progress import EXIT_CODE_OF, Outcome, State

T = TypeVar("T")

_LONGEST_REHEARSAL = 64


class ScriptRun:
    """One attempt of a program as one rank sees it. All ranks call its methods at the same places."""

    def __init__(self, run: Run, state: ScriptState, is_alone: bool, epochs_done: int) -> None:
        """epochs_done: that were asked for when this very training came to its end in an earlier attempt, or 0."""
        self._run = run
        self._epochs_done = epochs_done
        self._state = state
        self._is_alone = is_alone  # nobody else will say how it ended
        self._orders = Orders()
        self._clock = EpochClock(state)
        self._is_in_epoch = self._has_batches = self._has_reported = self._is_last = False
        self._began_at = 0  # of the samples of this epoch
        self._reentry: Mark | None = None  # where a resumed program would go on
        self._files_due = state.is_loaded
        # DDP sums the first gradients of a process in another order than later ones; see `_rehearsed`.
        self._rehearsal_due = state.is_loaded and run.world.size > 2
        self._is_rehearsing = False
        self._has_left_out = False  # metrics
        for optimizer in state.objects.optimizers[:1]:
            self.watch_rate(optimizer)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self._state.position.epoch

    @property
    def steps(self) -> int:
        """Steps done, those of earlier attempts included."""
        return self._state.position.step

    @property
    def is_without_batches(self) -> bool:
        """Whether this epoch had none left: an earlier attempt has stopped after its last one."""
        return self._is_in_epoch and self._has_batches and self._state.position.consumed == self._began_at > 0

    @property
    def cpus(self) -> int:
        """CPUs that this rank may keep busy, by its threads and a DataLoader's workers together."""
        return cpus_of_rank(int(os.environ.get("LOCAL_WORLD_SIZE") or 1))

    def epochs(self, count: int) -> Iterator[int]:
        """The numbers of the epochs still to do; an epoch that was interrupted comes first, with what is left of it."""
        self._run.board.epochs_asked = count
        while self.epoch < count and count > self._epochs_done:
            if self._state.position.consumed == 0:
                self._be_where_it_was_saved()
            self._clock = EpochClock(self._state)
            self._is_in_epoch, self._has_batches, self._has_reported = True, False, False
            self._run.enter(State.TRAINING)
            yield self.epoch
            self._finish_epoch(count)
        if self._run.board.step:
            self._save(required=True)
            self._mark()

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of this epoch, but for those that an earlier attempt has done.

        A DataLoader's order depends on the epoch and torch's initial seed alone. Anything else that is given here must
        give the same order for the same epoch by itself; what was done is then read again and left out.
        """
        if not self._is_in_epoch or self._has_batches:
            raise UserError("run.batches() is for the body of `for epoch in run.epochs(...)`, once in every epoch")
        self._has_batches, self._reentry = True, None
        world, position = self._run.world, self._state.position
        self._began_at = position.consumed
        place = Place(self._state.seed, position.epoch, position.consumed, world.rank, world.size)
        entries = self._orders.entries(loader, place)
        self._be_where_it_was_saved()  # nothing may be drawn between this and the next batch
        if self._rehearsal_due:
            entries = yield from self._rehearsed(entries)
        for entry in entries:
            self._consume(entry)
            yield entry.batch
        self._clock.note(self._state)
        self._run.enter(State.EVALUATING)
        self._mark()

    def step(self, samples: int = 0) -> None:
        """One optimizer step is done, over so many samples of this rank. The last line of the loop's body.

        Here a stop is noticed: the state is saved, and the program ends with exit code 43.
        """
        if self._is_rehearsing:
            self._is_rehearsing = self._state.gradients.is_collecting
            return
        self._state.gradients.close_step()
        together = samples * self._run.world.size
        self._reentry = None
        position = self._state.position
        self._state.position = replace(position, step=position.step + 1)
        self._state.samples += together
        self._run.count_step(together)
        # Not after the last batch: the epoch's end is near, and what the loop's body has assigned is used until then.
        if not self._is_last and (self._run.should_stop() or self._run.save_is_due()):
            self._clock.note(self._state)
            self._save()

    def evaluate(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of a loader that is not trained on.

        A single rank that is asked to stop after run.batches() or run.epochs() has ended does not finish them: a resume
        goes on right there. Everywhere else, and if weights have changed since then, the next step or the epoch's end
        comes first. So it is with several ranks, for they need not have equal numbers of these batches.
        """
        for batch in loader:
            self._run.enter(State.EVALUATING)
            mark = self._reentry
            if mark is not None and mark.is_valid() and self._run.should_stop(now=True):
                self._state.go_back(mark.snapshot)
                self._save()
            yield batch

    def report(self, /, *, reduce: Literal["mean"] | None = None, **metrics: SupportsFloat) -> None:
        """The numbers of this epoch, once, such as train_loss, validation_loss, validation_accuracy, or any name.

        Rank 0's count, or with reduce="mean" the means over the ranks. What status and metrics cannot hold is left out
        and named in the log.
        """
        if self._has_reported:
            raise UserError("run.report() takes all numbers of an epoch at once")
        if reduce not in (None, "mean"):
            raise UserError(f'run.report(reduce={reduce!r}): "mean" is known')
        self._report(over_ranks(metrics, self._run.world) if reduce else metrics)

    def _report(self, metrics: Mapping[str, SupportsFloat]) -> None:
        self._has_reported = True
        reported = read_report(self.epoch + 1, metrics)
        self._tell_left_out(reported.left_out)
        measured = epoch_metrics(self._state, self._clock, reported)
        if is_better(measured, self._state.best_metrics):
            self._state.best_metrics, self._state.best_step = measured, self.steps
        self._run.report(measured, self._state.best_metrics)

    def _tell_left_out(self, names: list[str]) -> None:
        """Once: in the next epoch they are the same."""
        if names and not self._has_left_out:
            self._run.log.event("metrics left out", metrics=names)
        self._has_left_out |= bool(names)

    def check(self, *losses: torch.Tensor) -> None:
        """NonFinite (exit code 45) if any of them is NaN or infinite. On a GPU this waits for the device."""
        for loss in losses:
            if not bool(torch.isfinite(loss).all()):
                raise NonFinite(f"step {self.steps + 1}: a loss is NaN or infinite; nothing was saved from it")

    def follow(
        self, epochs: int, epoch: int, step: int, samples: int, metrics: Mapping[str, float], consumed: int = 0
    ) -> None:
        """For a loop of somebody else's, instead of epochs(), batches() and step(): so much is done now.

        The first call after start() makes all objects what they were; here a stop is noticed and saved.
        samples: of this rank, in a step; metrics: of the epoch, should it be over; consumed: of the epoch that goes on.
        """
        self._be_where_it_was_saved()
        self._run.board.epochs_asked = epochs
        self._run.enter(State.TRAINING)
        together, before = samples * self._run.world.size, self._state.position
        for _ in range(before.step, step):
            self._state.samples += together
            self._run.count_step(together)
        is_over = epoch > before.epoch
        self._clock.note(self._state)
        if is_over:
            self._report(metrics)
            self._state.epoch_seconds, self._state.samples = 0.0, 0
            self._clock = EpochClock(self._state)
            self._run.board.plan = plan_so_far(epochs, epoch, step)
        self._state.position = Position(epoch=epoch, step=step, consumed=consumed)
        if step > before.step and (self._run.should_stop(now=is_over) or self._run.save_is_due(epoch_done=is_over)):
            self._save()

    def followed_batches(self, loader: Iterable[T], epoch: int, follow: Callable[[int], None]) -> Iterator[T]:
        """The batches of an epoch from where it stands; follow(consumed) is called before each is read."""
        world, position = self._run.world, self._state.position
        consumed = position.consumed if epoch == position.epoch else 0
        entries = self._orders.entries(loader, Place(self._state.seed, epoch, consumed, world.rank, world.size))
        while True:
            follow(consumed)
            entry = next(entries, None)
            if entry is None:
                return
            consumed += entry.consumed
            yield entry.batch

    def rehearse(self, model: Any, step: Callable[[], object]) -> None:
        """For a loop of somebody else's, before its first step: makes it and takes it back where that is due.

        model: DDP's, which sums in this step even if it is to be the first of several that collect gradients.
        """
        if not self._rehearsal_due:
            return
        self._rehearsal_due = False
        before, sums = self._state.snapshot(), model.require_backward_grad_sync
        model.require_backward_grad_sync = True
        step()
        model.require_backward_grad_sync = sums
        model.zero_grad()
        self._state.go_back(before)

    def save_last(self) -> None:
        """The loop is over, this one's or somebody else's: what it has done last is on disk when this returns."""
        if self._run.board.step:
            self._save(required=True)

    def watch_rate(self, optimizer: torch.optim.Optimizer) -> None:
        """An epoch's learning rate is that of its last step: a scheduler has changed it by the time of the report."""
        inner = getattr(optimizer, "optimizer", optimizer)  # that of accelerate's wrapper
        inner.register_step_pre_hook(lambda optimizer, *_: self._state.note_rate(optimizer.param_groups[0]["lr"]))

    def doubt(self, tell: Callable[[], Iterable[str]]) -> None:
        """For a framework: asked before every save what that will not hold; a resume from it is Approximate then."""
        self._state.doubts.append(tell)

    def keep_gradients(self) -> None:
        """For a framework that clears them after every step: those that are there now wait for one."""
        self._state.gradients.found()

    def note_evaluation(self) -> None:
        """A sign of life from a framework that evaluates."""
        self._run.enter(State.EVALUATING)

    def finish(self) -> str:
        """The program has come to its end; later attempts complete at once."""
        world = self._run.world
        together = world.size == 1 or dist.is_initialized()
        if together:
            if self._is_in_epoch and self._has_reported:  # it has left run.epochs() early, with this epoch done
                self._leave_epoch()
            self.save_last()
        elif world.is_rank_zero and self._run.board.step:
            self._require_last()
        self._run.enter(State.FINISHED)
        message = f"the program has ended after {self.epoch} epochs, {self.steps} steps"
        if world.is_rank_zero:
            Folder(self._run.config).write_done(Outcome.COMPLETED, message, self._run.board.progress())
            self._run.tell_supervisor()
        if together:
            world.wait_for_all()  # only rank 0 knows that the mark is on disk
        return message

    def _require_last(self) -> None:
        """Nobody can save alone what all ranks have a part of."""
        try:
            self._run.require_saved(self._state)
        except SaveFailed as error:
            raise UserError(
                f"{error}: the program left run.epochs() early and destroyed its process group. Leave out "
                "dist.destroy_process_group(); the last save needs the group"
            ) from error

    def _rehearsed(self, entries: Iterator[Entry]) -> Generator[T, None, Iterator[Entry]]:
        """One step that is taken back.

        DDP regroups its gradient buckets after the first backward pass, which changes the order of summation from
        three ranks on. After a step that does not count, a resumed program sums as one that never stopped.
        """
        first = next(entries, None)
        if first is None:
            return entries
        before = self._state.snapshot()  # after the batch was read, which may draw as well
        self._rehearsal_due, self._is_rehearsing = False, True
        for _ in range(_LONGEST_REHEARSAL):  # several times, if the program collects gradients before it steps
            yield copy.deepcopy(first.batch)
            if not self._is_rehearsing:
                break
        self._is_rehearsing = False
        self._state.go_back(before)
        return chain([first], entries)

    def _be_where_it_was_saved(self) -> None:
        """Once more, right where the saved program went on: since start() it may have drawn, counted or reset."""
        if self._files_due:
            self._state.load_again(self._run.world)
            self._files_due = False

    def _mark(self) -> None:
        if self._run.world.size == 1:
            self._reentry = self._state.mark()

    def _consume(self, entry: Entry) -> None:
        position = self._state.position
        self._state.position = replace(position, consumed=position.consumed + entry.consumed)
        self._is_last = entry.is_last

    def _finish_epoch(self, count: int) -> None:
        self._be_where_it_was_saved()
        if not self._has_reported:
            self.report()
        self._leave_epoch()
        self._run.board.plan = plan_so_far(count, self.epoch, self.steps)
        if self._run.should_stop(now=True) or self._run.save_is_due(epoch_done=True):
            self._save()

    def _leave_epoch(self) -> None:
        self._is_in_epoch = self._is_last = False
        self._reentry = None
        self._state.position = Position(epoch=self.epoch + 1, step=self.steps)
        self._state.epoch_seconds, self._state.samples = 0.0, 0

    def _save(self, required: bool = False) -> None:
        try:
            self._run.save(self._state, required)
        except (Stopped, NotSaved) as error:
            if self._is_alone:
                self._run.log.event("ended", message=str(error))
            raise Ended(error, EXIT_CODE_OF[error.outcome]) from None
