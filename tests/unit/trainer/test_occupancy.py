"""Two jobs in one folder: who comes second is told by whom it is in use, until that one has ended."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from support.trainer import recipe, run_config
from trainer.checkpoint.folder import Folder
from trainer.checkpoint.occupancy import LOCAL_UID
from trainer.errors import FolderInUse

FIRST = "first"


def folder(path: Path, name: str = "second", uid: str = "uid-2", attempt: int = 1) -> Folder:
    config = run_config(path, recipe(Path("/data/table.csv")), attempt, uid=uid)
    return Folder(config.model_copy(update={"name": name}))


@contextmanager
def at_work(path: Path, uid: str = "uid-1", act: Callable[[], object] = signal.pause) -> Iterator[int]:
    """Another process that has the folder; its PID."""
    ready, begun = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with folder(path, FIRST, uid, attempt=3).occupied():
                os.write(begun, b".")
                act()
        finally:
            os._exit(0)
    os.read(ready, 1)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready), os.close(begun)


def occupy(folder: Folder) -> None:
    with folder.occupied():
        pass


def test_the_second_is_told_the_firsts_name_until_that_one_is_gone(tmp_path: Path) -> None:
    with (
        at_work(tmp_path / "c"),
        pytest.raises(FolderInUse, match=r"in use by TrainingJob default/first \(attempt 3\)"),
    ):
        occupy(folder(tmp_path / "c"))
    occupy(folder(tmp_path / "c"))


@pytest.mark.parametrize(
    ("uid", "is_refused"),
    [
        pytest.param("uid-1", False, id="the operator starts an attempt when no pod of the last one is left"),
        pytest.param(LOCAL_UID, True, id="without an operator nobody sees to that"),
    ],
)
def test_a_later_attempt_of_the_same_job(tmp_path: Path, uid: str, is_refused: bool) -> None:
    with at_work(tmp_path / "c", uid), pytest.raises(FolderInUse) if is_refused else nullcontext():
        occupy(folder(tmp_path / "c", FIRST, uid, attempt=4))


def test_what_a_process_starts_does_not_hold_its_folder(tmp_path: Path) -> None:
    """Such as a worker that outlives it."""
    ready, begun = os.pipe()

    def leave_a_child() -> None:
        if os.fork() == 0:
            os.write(begun, str(os.getpid()).encode())
            signal.pause()

    with at_work(tmp_path / "c", act=leave_a_child) as first:
        orphan = int(os.read(ready, 10))
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        occupy(folder(tmp_path / "c"))
    os.kill(orphan, signal.SIGKILL)


@pytest.mark.parametrize("kind", ["a link", "a pipe", "a folder", "a device"])
def test_what_lies_in_the_locks_place_is_replaced(tmp_path: Path, kind: str) -> None:
    outside, place = tmp_path / "outside", tmp_path / "c/in-use"
    outside.write_text("untouched")
    place.parent.mkdir()
    {
        "a link": lambda: place.symlink_to(outside),
        "a pipe": lambda: os.mkfifo(place),
        "a folder": lambda: (place / "below").mkdir(parents=True),
        "a device": lambda: place.symlink_to("/dev/zero"),
    }[kind]()
    occupy(folder(tmp_path / "c"))
    assert place.is_file()
    assert not place.is_symlink()
    assert outside.read_text() == "untouched"


def test_a_job_whose_folder_was_taken_is_told_by_whom(tmp_path: Path) -> None:
    """Where the file system has no locks: it ends for good, and does not take the folder back."""
    first = folder(tmp_path / "c", FIRST, "uid-1")
    first.claim()
    folder(tmp_path / "c").claim()
    with pytest.raises(FolderInUse, match="taken over by TrainingJob default/second"):
        first.check_fence()
