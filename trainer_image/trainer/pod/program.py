"""Runs the user's own program as a rank: as `python program.py` would, but its end gets a meaning."""

import errno
import hashlib
import math
import os
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trainer.checkpoint.folder import Folder
from trainer.errors import TrainerError, UserError, told
from trainer.pod.surroundings import Surroundings
from trainingjob_api.contract import TEMPORARY_PATH
from trainingjob_api.progress import Outcome, State


class Ended(SystemExit):
    """Leaves the program after a stop on request: a SystemExit, which no `except Exception` in it swallows."""

    def __init__(self, error: TrainerError, code: int) -> None:
        super().__init__(code)
        self.error = error


class ProgramFailed(TrainerError):  # noqa: N818  (named after what has happened)
    """The program has said itself that it failed."""


@dataclass
class Program:
    """What runs in this process."""

    around: Surroundings
    finish: Callable[[], str] | None = None
    """Known once the program has called `trainer.script.start`."""
    names: tuple[str, ...] | None = ()
    """Of the trainings that have begun; None: one without a name."""
    is_alone: bool = False
    """Without a pod's supervisor, or one that stands for it."""
    is_without_batches: Callable[[], bool] = lambda: False
    """Whether it is in an epoch of which an earlier attempt has done all batches."""


running: Program | None = None


def run_program(around: Surroundings) -> tuple[Outcome, str]:
    """Returns how it ended; every other end is an exception."""
    global running
    script = around.config.run.script
    assert script is not None
    path = around.config.mounts.locate(script.path).absolute()
    if not path.is_file():
        raise UserError(f"script.path: there is no file {script.path}; mount it with pod.volumes and pod.volumeMounts")
    running = Program(around)
    sys.argv = [str(path), *(around.config.mounts.in_text(arg) for arg in script.args)]
    sys.path.insert(0, str(path.parent))
    output = Folder(around.config.run).output()
    os.chdir(output)
    with _together(around):
        _say_nothing(around)
        _run(path, output)
        _wait_for_threads()
    if running.finish is None:
        return Outcome.COMPLETED, "the program has ended; it does not report, so nothing is known of its checkpoints"
    message = running.finish()
    if running.names and around.config.rank == 0:  # each has a mark of its own so far
        message = f"{len(running.names)} trainings; of {running.names[-1]}: {message}"
        Folder(around.config.run).write_done(Outcome.COMPLETED, message, around.board.progress())
    return Outcome.COMPLETED, message


@contextmanager
def _together(around: Surroundings) -> Iterator[None]:
    """Programs that know nothing of each other begin together, and a peer that is missing is missed."""
    if around.config.world_size == 1:
        yield
        return
    from trainer.distributed import meet  # torch

    store = meet(around.config)
    yield
    del store  # until here rank 0 has kept it, as torchrun would, for every group that the program makes


def _say_nothing(around: Surroundings) -> None:
    """Until it calls start() nobody can tell a program that hangs from one that works."""
    around.board.enter(State.RUNNING)
    around.pulse.beat(State.RUNNING, 0, within=math.inf)


def _run(path: Path, output: Path) -> None:
    try:
        runpy.run_path(str(path), run_name="__main__")
    except Ended as end:
        raise end.error from None
    except SystemExit as end:
        if end.code not in (None, 0):
            code = f"exit code {end.code}" if isinstance(end.code, int) else str(end.code)
            raise ProgramFailed(f"the program ended with {code}") from end
    except (ImportError, SyntaxError) as error:
        raise UserError(told(error)) from error
    except NameError as error:
        if running is None or not running.is_without_batches():
            raise
        raise UserError(
            f"{told(error)}: a pause came after the last batch of this epoch, so that the loop over run.batches() had "
            "nothing left to do. Assign before the loop what is used after it, or keep it in a dict given to start()"
        ) from error
    except Exception as error:
        # torch.save tells it by text alone. A volume that has become read-only is not the program's fault.
        if os.strerror(errno.EROFS) not in str(error) or not os.access(output, os.W_OK):
            raise
        raise UserError(
            f"{told(error)}: the container's own files are read-only. Write to the folder that the program starts in, "
            f"{output}, which stays with its checkpoints, or to {TEMPORARY_PATH}, which ends with the pod"
        ) from error


def _wait_for_threads() -> None:
    """As the interpreter does at its end: it also tells idle pools of threads to go home."""
    threading._shutdown()  # type: ignore[attr-defined]


def digest(path: Path) -> str:
    """Of a program's own file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:  # typed in, or in a notebook
        return ""
