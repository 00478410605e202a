"""A process that is killed, a disk that fails, and a power cut: at every single call to the file system."""

import errno
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import pytest

from support.checkpoints import commit, newest_step, whole_steps
from support.disk import Countdown, Handler, Real, Recorder, failing, intercepted, write_tree
from support.trainer import recipe, run_config
from trainer.checkpoint.files import replace
from trainer.checkpoint.folder import Folder
from trainer.checkpoint.store import Store
from trainer.errors import Superseded
from trainer.reporting.history import History
from trainingjob_api.progress import EpochMetrics

STATES_AT_EACH_CALL = 60
TRAINING = recipe(Path("/data/table.csv"))


def damage(folder: Path) -> None:
    (folder / "state.json").write_bytes(b"damaged")


def prepared(folder: Path) -> Path:
    """Two whole checkpoints, and a damaged one of the step that is saved next: it has to make way."""
    folder.mkdir()
    for step in (1, 2, 3):
        commit(Store(folder, 3), step)
    damage(folder / "step-3.1")
    return folder


def die_before(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_halfway(name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """In the middle of a write."""
    descriptor, content = args
    real(descriptor, content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def is_killed(work: Callable[[], None], handle: Handler) -> bool:
    """Works in a child whose calls are handled; False if it came to the end."""
    child = os.fork()
    if child == 0:
        with intercepted(handle):
            work()
            os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.mark.parametrize(
    ("kind", "then"),
    [pytest.param(None, die_before, id="before each call"), pytest.param("write", die_halfway, id="half a write")],
)
def test_a_kill_anywhere_in_a_save_loses_nothing(memory: Path, kind: str | None, then: Handler) -> None:
    for call in range(1, 200):
        folder = prepared(memory / str(call))
        # Best is step 1; keeping two, the save of step 3 removes nothing yet, that of step 4 does.
        killed = is_killed(
            lambda folder=folder: [commit(Store(folder, 2), step, keep_step=1) for step in (3, 4)],  # type: ignore[misc]
            Countdown(call, then, kind),
        )
        assert newest_step(folder) in ((2, 3, 4) if killed else (4,))
        assert len(whole_steps(folder) & {2, 3, 4}) >= 2 or newest_step(folder) == 2
        assert 1 in whole_steps(folder), "the best one is gone"
        store = Store(folder, 2)  # the next attempt
        store.remove_unfinished()
        commit(store, 5, attempt=2, keep_step=1)
        assert len(whole_steps(folder)) == 3
        assert not list(folder.glob("*.tmp"))
        if not killed:
            break
    assert call > (4 if kind else 60), "too few calls were seen: some do not go through os"


def test_a_kill_anywhere_in_a_claim_does_not_keep_the_next_attempt_out(memory: Path) -> None:
    for call in range(1, 200):
        config = run_config(memory / str(call) / "c", TRAINING)
        killed = is_killed(Folder(config).claim, Countdown(call, die_before))
        following = Folder(config.model_copy(update={"attempt": 2}))
        following.claim()
        assert following.generation == 2
        if not killed:
            break
    assert call > 15


def test_a_kill_anywhere_in_a_replacement_leaves_the_old_or_the_new(memory: Path) -> None:
    path = memory / "history.jsonl"
    for call in range(1, 20):
        path.write_bytes(b"old")
        killed = is_killed(lambda: replace(path, b"new"), Countdown(call, die_before))
        assert path.read_bytes() in (b"old", b"new")
        if not killed:
            break
    assert call > 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_a_call_that_fails_leaves_the_old_ones_and_the_next_save_succeeds(memory: Path, number: int) -> None:
    outcomes = set()
    for call in range(1, 200):
        folder = prepared(memory / str(call))
        store, fault = Store(folder, 2), Countdown(call, failing(number))
        with intercepted(fault):
            try:
                commit(store, 3)
                failed = None
            except OSError as error:
                failed = error.errno
        outcomes.add(failed)
        assert newest_step(folder) in ((2, 3) if failed else (3,))
        assert len(whole_steps(folder)) >= 2, "retention has counted what is not whole"
        commit(store, 4)
        assert newest_step(folder) == 4
        assert len(whole_steps(folder)) >= 2
        assert not list(folder.glob("*.tmp"))
        if fault.made < call:
            break
    assert call > 30
    assert outcomes == {None, number, errno.ENOTEMPTY}  # the last: the damaged one could not make way


def test_a_disk_that_takes_a_few_bytes_at_a_time(memory: Path) -> None:
    def few(name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return real(args[0], args[1][:7]) if name == "write" else real(*args, **kwargs)

    with intercepted(few):
        commit(Store(memory, 2), 1)
    assert newest_step(memory) == 1


def test_after_a_failed_sync_the_file_is_written_anew(memory: Path) -> None:
    """Its pages count as clean afterwards: a second sync of the same file succeeds without having written them."""
    for call in range(1, 20):
        store, failed, synced_again = Store(memory / str(call), 2), [], []
        (memory / str(call)).mkdir()

        def fail(
            name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any], failed: list[Any] = failed
        ) -> None:
            # Held open, so that no other file gets the same number.
            failed.append((os.dup(args[0]), os.fstat(args[0])))
            raise OSError(errno.EIO, "Input/output error")

        fault = Countdown(call, fail, "fsync")

        def watch(
            name: str,
            real: Real,
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
            fault: Countdown = fault,
            failed: list[Any] = failed,
            again: list[Any] = synced_again,
        ) -> Any:
            if name == "fsync" and failed:
                facts = os.fstat(args[0])
                again += [old for _, old in failed if os.path.samestat(old, facts)]
            return fault(name, real, args, kwargs)

        with intercepted(watch):
            for step in (1, 2):
                try:
                    commit(store, step)
                except OSError:
                    commit(store, step)
        assert [old for old in synced_again if not S_ISDIR(old.st_mode)] == []
        assert whole_steps(memory / str(call)) == {1, 2}
        for descriptor, _ in failed:
            os.close(descriptor)
        if not failed:
            break
    assert call > 2 * (3 + 2), "two checkpoints of three files in a folder in a folder"


def test_a_power_cut_after_any_call_loses_nothing_that_was_acknowledged(memory: Path) -> None:
    """Replays what is on disk after each call, and what may be: files cut short, changes of folders forgotten."""
    volume, chance = memory / "volume", random.Random(5)
    volume.mkdir()
    config = run_config(volume / "default" / "job", TRAINING)
    folder, recorder = Folder(config), Recorder(volume)
    acknowledged: list[tuple[int, int, int]] = []  # (calls made, step, newest step that may be there)
    with intercepted(recorder):
        folder.claim()
        store = folder.store()
        for step in (1, 2, 3, 4):
            acknowledged.append((len(recorder.history), step - 1, step))
            commit(store, step, keep_step=1)
        acknowledged.append((len(recorder.history), 4, 4))

    seen: set[int] = set()
    for number, (_, nodes) in enumerate(recorder.history, start=1):
        _, oldest, newest = next((entry for entry in reversed(acknowledged) if number >= entry[0]), (0, 0, 0))
        for tree in recorder.states(nodes, STATES_AT_EACH_CALL, chance):
            key = hash((oldest, newest, *sorted(tree.items())))
            if key not in seen:
                seen.add(key)
                require_recovery(memory / str(len(seen)), tree, oldest, newest, number)
    assert len(seen) > 100


def require_recovery(root: Path, tree: dict[str, bytes | None], oldest: int, newest: int, call: int) -> None:
    root.mkdir()
    write_tree(root, tree)
    place = root / "default" / "job"
    assert (newest_step(place) or 0) in range(oldest, newest + 1), (call, sorted(tree))
    whole = whole_steps(place)
    assert len(whole) >= min(2, oldest), (call, sorted(tree))
    assert oldest < 1 or 1 in whole, "the best one is gone"
    following = Folder(run_config(place, TRAINING, 2))
    following.claim()
    assert following.generation == 2


@pytest.mark.parametrize("tidies", [True, False], ids=["and begins", "and no more"])
def test_an_older_attempt_that_goes_on_after_a_claim_commits_nothing(memory: Path, tidies: bool) -> None:
    """Whenever in a save the newer attempt claims the folder: until the name is given, the older one notices."""
    for call in range(1, 200):
        place = memory / str(call)
        old, new = Folder(run_config(place, TRAINING, 1)), Folder(run_config(place, TRAINING, 2))
        old.claim()
        commit(old.store(), 1)
        was_there: list[bool] = []

        def claim_first(
            name: str,
            real: Real,
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
            new: Folder = new,
            was_there: list[bool] = was_there,
        ) -> Any:
            # Between its last look and the name there is no call: what comes then comes too late to be seen.
            was_there.append((new.path / "step-2.1").exists() or (name == "rename" and not tidies))
            new.claim()
            if tidies:
                new.store().remove_unfinished()
            return real(*args, **kwargs)

        with intercepted(Countdown(call, claim_first)):
            try:
                commit(old.store(), 2)
                assert was_there in ([True], []), "committed after the claim"
            except (Superseded, OSError):
                assert newest_step(place) == 1
        commit(new.store(), 2, attempt=2)
        loaded = new.store().newest()
        assert loaded is not None
        assert loaded.name.generation == 2
        if not was_there:
            break
    assert call > 28


def test_a_history_whose_sync_failed_is_written_anew(memory: Path) -> None:
    history = History(memory)
    history.append(EpochMetrics(epoch=1))
    with intercepted(Countdown(1, failing(errno.EIO), "fsync")), pytest.raises(OSError, match="Input/output"):
        history.flush()
    with (memory / "history.jsonl").open() as old:  # held open, so that no other file gets the same number
        history.flush()
        assert not os.path.samestat(os.fstat(old.fileno()), (memory / "history.jsonl").stat())
    assert [epoch.epoch for epoch in history.epochs()] == [1]
