"""A saver with a state of its own: what is told, what is never written, and how much memory it takes."""

import ctypes
import errno
import os
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from support.checkpoints import newest_step, whole_steps
from support.disk import Countdown, Real, Recorder, failing, intercepted, write_tree
from support.memory import megabytes
from support.runs import run_of
from support.trainer import recipe, run_config
from support.weights import Weights
from trainer.checkpoint.folder import Folder
from trainer.checkpoint.saving import Saver
from trainer.checkpoint.store import Store
from trainer.checkpoint.tensors import decode
from trainer.checkpoint.writing import finish_writing
from trainer.distributed import World
from trainer.errors import NonFinite, Superseded
from trainer.pod.run_folder import RunFolder
from trainer.reporting.board import Board
from trainer.reporting.history import History
from trainer.resumable import Position
from trainingjob_api.progress import EpochMetrics

TRAINING = recipe(Path("/data/table.csv"))
MEGABYTE = 1024**2
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


@dataclass
class Place:
    """A claimed folder and its saver."""

    path: Path
    attempt: int = 1

    def __post_init__(self) -> None:
        config = run_config(self.path, TRAINING, self.attempt)
        Folder(config).claim()
        self.board = Board(config)
        self.history = History(self.path)
        self.told: list[tuple[int, str | None]] = []
        world = World(0, 1, torch.device("cpu"))
        self.saver = Saver(config, world, self.board, self.history, lambda *end: self.told.append(end))

    def save(self, state: Weights, wait: bool = False) -> str | None:
        return self.saver.save(state, on_request=False, wait=wait)


def held(name_of_call: str, begun: threading.Event, go_on: threading.Event) -> Countdown:
    """The first such call begins only when it may."""

    def hold(name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        begun.set()
        assert go_on.wait(30)
        return real(*args, **kwargs)

    return Countdown(1, hold, name_of_call)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("wait", [True, False], ids=["waited for", "in the background"])
def test_a_failure_at_any_call_is_told_and_the_next_save_succeeds(memory: Path, number: int, wait: bool) -> None:
    told = 0
    for call in range(1, 200):
        place, state = Place(memory / str(call)), Weights()
        place.history.append(EpochMetrics(epoch=1, train_loss=1.0))
        assert place.save(state, wait=True) is None
        place.history.append(EpochMetrics(epoch=2, train_loss=1.0))
        fault = Countdown(call, failing(number))
        with intercepted(fault):
            returned = place.save(state.next(), wait)
            place.saver._writer.finish()
        step, problem = place.told[-1]
        assert (step, returned) == (2, problem if wait else None)
        if problem:
            told += 1
            assert os.strerror(number) in problem
            assert place.board.checkpoint_problem == problem
            assert newest_step(place.path) in (1, 2)
        else:
            assert newest_step(place.path) == 2
        assert place.save(state.next(), wait=True) is None
        assert place.board.checkpoint_problem is None
        assert newest_step(place.path) == 3
        assert [epoch.epoch for epoch in place.history.epochs()] == [1, 2]
        if fault.made < call:
            break
    assert told > 20


def test_training_may_change_what_is_being_written(memory: Path) -> None:
    place, state = Place(memory / "c"), Weights()
    begun, go_on = threading.Event(), threading.Event()
    with intercepted(held("write", begun, go_on)):
        assert place.save(state) is None
        assert begun.wait(30)
        state.values.fill_(77)
        go_on.set()
        place.saver._writer.finish()
    loaded = Store(memory / "c", 2).newest()
    assert loaded is not None
    assert decode(loaded.files["model.safetensors"])["values"].sum() == 100


@pytest.mark.parametrize(
    ("every", "waits"),
    [
        pytest.param({"epochs": 1}, False, id="epochs"),
        pytest.param({"seconds": 1}, False, id="seconds"),
        pytest.param({"steps": 1}, True, id="steps, which promise how many can be lost"),
    ],
)
def test_a_save_is_put_off_while_the_one_before_is_written(memory: Path, every: dict[str, int], waits: bool) -> None:
    config, state = run_config(memory / "c", TRAINING, checkpointEvery=every), Weights()
    Folder(config).claim()
    (memory / "run").mkdir()
    run, _ = run_of(config, RunFolder(memory / "run"))
    begun, go_on = threading.Event(), threading.Event()

    def is_due() -> bool:
        run.should_stop(now=True)
        return run.save_is_due(epoch_done=True) or run.save_is_due()

    def time_passes() -> None:
        run.board.epoch, run.board.step = run.board.epoch + 1, run.board.step + 1
        run._cadence.time -= 1.0

    time_passes()
    assert is_due()
    with intercepted(held("write", begun, go_on)):
        run.save(state)
        assert begun.wait(30)
        time_passes()
        assert is_due() is waits
        go_on.set()
        run._saver._writer.finish()
    assert is_due(), "and not forgotten"
    run.save(state.next())
    assert not is_due()
    finish_writing(30)
    assert newest_step(memory / "c") == 2


@pytest.mark.parametrize("call", ["mkdir", "write", "fsync", "rename"])
def test_an_attempt_that_is_superseded_while_it_writes_commits_nothing_and_ends(memory: Path, call: str) -> None:
    old, state = Place(memory / "c"), Weights()
    assert old.save(state, wait=True) is None
    begun, go_on = threading.Event(), threading.Event()
    with intercepted(held(call, begun, go_on)):
        assert old.save(state.next()) is None
        assert begun.wait(30)
        new = Place(memory / "c", attempt=2)
        new.saver._store.remove_unfinished()
        go_on.set()
        with pytest.raises(Superseded):
            old.save(state.next(), wait=True)
    assert newest_step(memory / "c") == 1
    assert new.save(Weights().next(), wait=True) is None
    assert {path.name for path in (memory / "c").glob("step-*")} == {"step-1.1", "step-2.2"}


def test_an_attempt_that_is_superseded_need_not_save_to_hear_of_it(memory: Path) -> None:
    old = Place(memory / "c")
    old.saver.check()
    Place(memory / "c", attempt=2)
    assert old.save(Weights()) is None
    finish_writing(30)
    with pytest.raises(Superseded):
        old.saver.check()


def test_what_nobody_expects_of_a_disk_costs_one_save(memory: Path) -> None:
    """And not the next one, which may be the one that a stop waits for."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("can't start new thread")

    place, state = Place(memory / "c"), Weights()
    with intercepted(Countdown(1, fail, "mkdir")):
        assert place.save(state) is None
        place.saver._writer.finish()
    assert place.told == [(1, "RuntimeError: can't start new thread")]
    assert place.save(state.next(), wait=True) is None
    assert newest_step(memory / "c") == 2


def test_a_program_that_ends_meanwhile_loses_nothing(tmp_path: Path) -> None:
    """From where the interpreter waits for threads on, none begins any more."""

    def work() -> None:
        place, begun, go_on = Place(tmp_path / "c"), threading.Event(), threading.Event()
        with intercepted(held("mkdir", begun, go_on)):
            assert place.save(Weights(torch.ones(2 * MEGABYTE))) is None
            assert begun.wait(30)
            threading.Timer(0.05, go_on.set).start()
            threading._shutdown()  # type: ignore[attr-defined]
        assert newest_step(tmp_path / "c") == 1

    in_a_child(work, tmp_path)


def test_an_epoch_does_not_wait_for_the_disk(memory: Path) -> None:
    place, begun, go_on = Place(memory / "c"), threading.Event(), threading.Event()
    place.history.append(EpochMetrics(epoch=1))
    with intercepted(held("fsync", begun, go_on)):
        assert place.save(Weights()) is None
        assert begun.wait(30)
        place.history.append(EpochMetrics(epoch=2))
        go_on.set()
        place.saver._writer.finish()
    assert [line.epoch for line in place.history.epochs()] == [1, 2]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_never_written(memory: Path, value: float) -> None:
    place, state = Place(memory / "c"), Weights()
    assert place.save(state) is None
    state.next().values[7] = value
    with pytest.raises(NonFinite):
        place.save(state)
    assert whole_steps(memory / "c") == {1}
    assert not list((memory / "c").glob("*.tmp"))


def test_a_step_that_was_written_is_not_written_again(memory: Path) -> None:
    place, state = Place(memory / "c"), Weights()
    assert place.save(state) is None
    assert place.save(state, wait=True) is None
    made = (memory / "c" / "step-1.1").stat().st_ino
    assert place.save(state, wait=True) is None
    assert (memory / "c" / "step-1.1").stat().st_ino == made


def test_what_is_told_of_a_checkpoint(memory: Path) -> None:
    place = Place(memory / "c")
    assert place.saver.save(Weights(position=Position(step=3, epoch=2)), on_request=True, wait=True) is None
    told = place.board.checkpoint
    assert told is not None
    assert (told.step, told.epoch, told.attempt, told.path, told.on_request) == (3, 2, 1, "step-3.1", True)
    files = (path for path in (memory / "c" / "step-3.1").iterdir() if path.name != "manifest.json")
    assert told.size_bytes == sum(path.stat().st_size for path in files)


def test_after_a_power_cut_the_history_reaches_as_far_as_the_checkpoint(memory: Path) -> None:
    recorder, chance, loaded = Recorder(memory / "volume"), random.Random(3), 0
    (memory / "volume").mkdir()
    with intercepted(recorder):
        place = Place(memory / "volume" / "c")
        for epoch in (1, 2, 3):
            place.history.append(EpochMetrics(epoch=epoch))
            assert place.save(Weights(position=Position(step=epoch, epoch=epoch))) is None
    trees = {
        tuple(sorted(tree.items())) for _, nodes in recorder.history for tree in recorder.states(nodes, 40, chance)
    }
    for number, tree in enumerate(trees):
        (memory / str(number)).mkdir()
        write_tree(memory / str(number), dict(tree))
        if checkpoint := Store(memory / str(number) / "c", 2).newest():
            epochs = [line.epoch for line in History(memory / str(number) / "c").epochs()]
            assert epochs[: checkpoint.saved.epoch] == list(range(1, checkpoint.saved.epoch + 1))
            loaded += 1
    assert loaded > 30


def in_a_child(work: Callable[[], None], tmp_path: Path) -> None:
    """Memory is measured in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            torch.set_num_threads(1)  # the threads of other tests are not in here: to wait for them is for ever
            work()
            os._exit(0)
        except BaseException as error:
            (tmp_path / "error").write_text(repr(error))
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        pytest.fail((tmp_path / "error").read_text())


def memory_of(work: Callable[[], Any]) -> float:
    """How many MB more than before were in use at the most."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is used now
    before = megabytes("VmRSS")
    kept = work()
    peak = megabytes("VmHWM") - before
    del kept
    return peak


def test_a_save_takes_the_memory_of_one_copy(tmp_path: Path) -> None:
    """Into which the next one goes as well, and nothing is read back whole."""

    def work() -> None:
        place, state = Place(tmp_path / "c"), Weights(torch.ones(96 * MEGABYTE // 4))

        def saves() -> None:
            for _ in range(3):
                assert place.save(state.next()) is None
            place.saver._writer.finish()

        used = memory_of(saves)
        assert 90 < used < 96 * 1.3, f"{used} MB for a state of 96 MB"

    in_a_child(work, tmp_path)


def test_a_load_reads_every_byte_once_and_keeps_one_copy(tmp_path: Path) -> None:
    def work() -> None:
        place, state = Place(tmp_path / "c"), Weights(torch.ones(48 * MEGABYTE // 4))
        assert place.save(state, wait=True) is None
        read = _bytes_read()
        used = memory_of(Store(tmp_path / "c", 2).newest)
        assert 45 < used < 48 * 1.2, f"{used} MB for a state of 48 MB"
        assert _bytes_read() - read < 48 * MEGABYTE * 1.05
        loaded = Store(tmp_path / "c", 2).newest()
        assert loaded is not None
        used = memory_of(lambda: decode(loaded.files["model.safetensors"]))
        assert used < 48 * 1.2, f"{used} MB for tensors of 48 MB"

    in_a_child(work, tmp_path)


def test_a_volume_of_200_kb_keeps_what_is_saved_and_says_that_it_is_full(tmp_path: Path) -> None:
    """A real one, which only this test's own process sees."""
    (tmp_path / "volume").mkdir()

    def work() -> None:
        mount_small(tmp_path / "volume")
        place, state = Place(tmp_path / "volume" / "c"), Weights(torch.ones(40_000 // 4))
        assert place.save(state, wait=True) is None
        assert place.save(state.next(), wait=True) is None
        state.values = torch.ones(160_000 // 4)
        problem = place.save(state.next(), wait=True)
        assert problem is not None
        assert "No space left on device" in problem
        assert place.board.checkpoint_problem == problem
        assert whole_steps(place.path) == {1, 2}
        assert not list(place.path.glob("*.tmp")), "what could not be saved still fills the volume"

        state.values = torch.ones(40_000 // 4)
        assert place.save(state.next(), wait=True) is None
        assert whole_steps(place.path) == {2, 4}

    if not may_mount(tmp_path / "volume"):
        pytest.skip("this machine lets nobody mount")
    in_a_child(work, tmp_path)


def mount_small(path: Path) -> None:
    """200 kB of memory as a file system, in name spaces of this process's own."""
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare failed")
    for name, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path(f"/proc/self/{name}").write_text(line)
    if libc.mount(b"none", bytes(path), b"tmpfs", 0, b"size=200k"):
        raise OSError(ctypes.get_errno(), "mount failed")


def may_mount(path: Path) -> bool:
    child = os.fork()
    if child == 0:
        try:
            mount_small(path)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _bytes_read() -> int:
    match = re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())
    assert match is not None
    return int(match[1])
