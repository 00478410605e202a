"""One checkpoint, made by all ranks together and written by rank 0."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from torch import Tensor

from trainer.checkpoint import tensors as safe
from trainer.checkpoint.files import Content
from trainer.checkpoint.folder import Folder
from trainer.checkpoint.store import Name
from trainer.checkpoint.writing import Writer
from trainer.distributed import World
from trainer.errors import NonFinite, SaveFailed, TrainerError
from trainer.reporting.board import Board
from trainer.reporting.history import History
from trainer.resumable import FACTS, Position, Resumable, tensor_files
from trainingjob_api.progress import RunConfig, SavedCheckpoint


class Saver:
    """Writes the state of a training; remembers what it has written."""

    def __init__(
        self,
        run: RunConfig,
        world: World,
        board: Board,
        history: History,
        on_end: Callable[[int, str | None], None],
    ) -> None:
        """on_end hears of every save on rank 0, from the thread that wrote it: its step, and why it failed if so."""
        self._run = run
        self._world = world
        self._board = board
        self._history = history
        self._on_end = on_end
        self._folder = Folder(run)
        self._store = self._folder.store()
        self._writer = Writer()
        self._encoder = safe.Encoder()
        self.saved: Position | None = None

    def save(self, state: Resumable, on_request: bool, wait: bool) -> str | None:
        """Copies the state, which may change as soon as this returns; then it is on its way to the disk. Collective.

        wait: until it is there. Returns why it could not be saved, on every rank; without waiting nobody knows yet.
        """
        rows = self._gather(state.own_tensors())
        problem = self._write(state, rows, on_request, wait) if self._world.is_rank_zero else None
        # Also without waiting: rank 0 may have waited for the save before, for longer than a step may take.
        return bytes(self._world.from_rank_zero((problem or "").encode())).decode() or None

    @property
    def is_free(self) -> bool:
        """Whether nothing is on its way to the disk. For rank 0."""
        return self._writer.is_free

    def check(self) -> None:
        """Raises what has ended a save for good, such as a newer attempt."""
        self._writer.check()

    def require(self, position: Position) -> None:
        """For rank 0 alone, without the others: SaveFailed unless this is saved."""
        self._writer.finish()
        if self.saved != position:
            step = self.saved.step if self.saved else 0
            raise SaveFailed(f"the last state, step {position.step}, is not saved; step {step} is")

    def _gather(self, own: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Every rank's own tensors, by rank."""
        if self._world.size == 1:
            return [dict(own)]
        return [safe.decode(row) for row in self._world.gather(bytes(safe.encode(own)))]

    def _write(self, state: Resumable, rows: list[dict[str, Tensor]], on_request: bool, wait: bool) -> str | None:
        begin = time.monotonic()
        self._writer.finish()  # first: its memory is needed
        if self.saved == state.position:  # not by the step alone: an evaluation may have followed it
            return None
        if not state.is_finite():
            raise NonFinite("a weight is NaN or infinite; nothing was saved from it")
        files: dict[str, Content] = {
            name: self._encoder.encode(name, tensors) for name, tensors in tensor_files(state, rows).items()
        }
        files[FACTS] = state.facts()
        saved = self._describe(state, files, on_request, begin)
        commit = partial(self._commit, files, saved, state.position, state.best_step, begin)
        if wait:
            return commit()
        self._writer.begin(commit)
        return None

    def _commit(
        self,
        files: Mapping[str, Content],
        saved: SavedCheckpoint,
        position: Position,
        best_step: int | None,
        begin: float,
    ) -> str | None:
        problem = None
        try:
            self._history.flush()  # before the checkpoint that builds on it
            self._store.commit(files, saved, best_step)
        except TrainerError:
            raise
        except OSError as error:
            problem = f"[Errno {error.errno}] {error.strerror}: {self._folder.path}"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        else:
            self.saved = position
            seconds = round(time.monotonic() - begin, 4)
            self._board.checkpoint = saved.model_copy(update={"save_seconds": seconds})
        self._board.checkpoint_problem = problem
        self._on_end(position.step, problem)
        return problem

    def _describe(
        self, state: Resumable, files: Mapping[str, Content], on_request: bool, begin: float
    ) -> SavedCheckpoint:
        position = state.position
        return SavedCheckpoint(
            step=position.step,
            epoch=position.epoch,
            attempt=self._run.attempt,
            path=str(Name(self._folder.generation, position.step)),
            size_bytes=sum(map(len, files.values())),
            save_time=datetime.now(UTC),
            save_seconds=round(time.monotonic() - begin, 4),
            on_request=on_request,
        )
