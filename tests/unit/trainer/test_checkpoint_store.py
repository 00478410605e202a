"""What a store keeps, finds and refuses. Crashes, failing disks and hostile folders have tests of their own."""

import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from support.checkpoints import CONTENT, commit, names, newest_step, whole_steps
from support.disk import Real, intercepted
from trainer.checkpoint.files import new_files
from trainer.checkpoint.store import Name, Store, newest_saved
from trainer.errors import CheckpointCorrupt, Superseded

LONG = b"x" * 2 * 1024**2


def test_what_was_committed_is_loaded(memory: Path) -> None:
    commit(Store(memory, 2), 10)
    loaded = Store(memory, 2).newest()
    assert loaded is not None
    assert (loaded.saved.step, loaded.files["model.safetensors"]) == (10, CONTENT["model.safetensors"])


def test_an_empty_folder_has_no_newest(memory: Path) -> None:
    assert Store(memory / "nowhere", 2).newest() is None


def test_a_later_attempt_counts_more_than_a_higher_step(memory: Path) -> None:
    commit(Store(memory, 5), 100, attempt=1)
    commit(Store(memory, 5), 90, attempt=2)
    loaded = Store(memory, 5).newest()
    assert loaded is not None
    assert loaded.name == Name(generation=2, step=90)


def regions(path: Path) -> list[tuple[str, int]]:
    """(file, offset) of bytes in every region of every file: the first, the last, and many between."""
    chosen = []
    for file in sorted(path.iterdir()):
        size = file.stat().st_size
        chance = random.Random(file.name)
        offsets = {0, size - 1, *(chance.randrange(size) for _ in range(150))}
        chosen += [(file.name, offset) for offset in sorted(offsets)]
    return chosen


def test_any_flipped_bit_is_noticed_and_the_one_before_is_loaded(memory: Path) -> None:
    store = Store(memory, 2)
    commit(store, 10)
    commit(store, 20)
    tried = 0
    for name, offset in regions(memory / "step-20.1"):
        path = memory / "step-20.1" / name
        whole = path.read_bytes()
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[offset] ^= 1 << bit
            path.write_bytes(flipped)
            loaded = Store(memory, 2).newest()
            assert loaded is not None
            assert loaded.saved.step == 10, f"bit {bit} of byte {offset} of {name}"
            tried += 1
        path.write_bytes(whole)
    assert tried > 2000
    loaded = Store(memory, 2).newest()
    assert loaded is not None
    assert loaded.saved.step == 20


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "state.json"])
def test_any_truncation_is_noticed(memory: Path, name: str) -> None:
    store = Store(memory, 2)
    commit(store, 10)
    commit(store, 20)
    path = memory / "step-20.1" / name
    whole = path.read_bytes()
    for length in {0, 1, len(whole) - 1, *random.Random(name).choices(range(len(whole)), k=200)}:
        path.write_bytes(whole[:length])
        assert newest_step(memory) == 10, f"{length} bytes of {name}"
    path.write_bytes(whole)
    assert newest_step(memory) == 20


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "state.json"])
def test_a_file_that_is_longer_or_missing_is_noticed(memory: Path, name: str) -> None:
    commit(Store(memory, 2), 10)
    path = memory / "step-10.1" / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(CheckpointCorrupt, match=r"step-10\.1"):
        Store(memory, 2).newest()
    path.unlink()
    with pytest.raises(CheckpointCorrupt, match=name):
        Store(memory, 2).newest()


def test_what_is_wrong_with_newer_ones_is_told(memory: Path) -> None:
    for step in (1, 2, 3):
        commit(Store(memory, 3), step)
    (memory / "step-3.1" / "manifest.json").unlink()
    (memory / "step-2.1" / "state.json").write_bytes(b"x")
    loaded = Store(memory, 3).newest()
    assert loaded is not None
    assert loaded.saved.step == 1
    assert loaded.passed_over == ("step-3.1 has no manifest.json", "step-2.1/state.json: it has 1 bytes instead of 11")


def test_the_last_ones_and_the_best_are_kept(memory: Path) -> None:
    store = Store(memory, 2)
    for step in range(1, 8):
        commit(store, step, keep_step=3)
    assert names(memory) == {"step-7.1", "step-6.1", "step-3.1"}


@pytest.mark.parametrize("content", [b"x", b'{"step": 9}'], ids=["of another size", "of the same size"])
def test_a_damaged_one_does_not_count_as_kept(memory: Path, content: bytes) -> None:
    for step in (1, 2, 3):
        commit(Store(memory, 3), step)
    (memory / "step-3.1" / "state.json").write_bytes(content)
    commit(Store(memory, 2), 4)
    assert whole_steps(memory) == {2, 4}


@pytest.mark.parametrize(
    ("found", "is_written"),
    [
        pytest.param(LONG, True, id="the same"),
        pytest.param(LONG[:-1] + b"y", False, id="another last byte"),
        pytest.param(b"y" + LONG[1:], False, id="another first byte"),
        pytest.param(LONG[:-1], False, id="cut short"),
        pytest.param(LONG + b"x", False, id="longer"),
    ],
)
@pytest.mark.parametrize("read_back", [True, False])
def test_what_was_written_is_read_back(memory: Path, found: bytes, is_written: bool, read_back: bool) -> None:
    expected = nullcontext() if is_written or not read_back else pytest.raises(OSError, match="not what was written")
    with expected, new_files(memory, read_back) as write:
        write("other", b"")
        write("file", LONG)
        (memory / "file").write_bytes(found)


def test_what_a_disk_acknowledges_and_does_not_write_is_no_checkpoint(memory: Path) -> None:
    def cut(name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return real(args[0], args[1][:-1]) + 1 if name == "write" else real(*args, **kwargs)

    store = Store(memory, 2)
    for step in (1, 2):
        commit(store, step)
    with intercepted(cut):
        for step in (3, 4, 5):
            with pytest.raises(OSError, match="not what was written"):
                commit(store, step)
    assert names(memory) == {"step-1.1", "step-2.1"}
    assert newest_step(memory) == 2


def test_a_superseded_attempt_does_not_commit(memory: Path) -> None:
    def refuse() -> None:
        raise Superseded("a newer attempt")

    commit(Store(memory, 2), 1)
    with pytest.raises(Superseded):
        commit(Store(memory, 2, refuse), 2)
    assert Store(memory, 2).names() == [Name(1, 1)]


def test_a_damaged_checkpoint_of_this_very_step_is_replaced(memory: Path) -> None:
    commit(Store(memory, 2), 1)
    (memory / "step-1.1" / "state.json").unlink()
    commit(Store(memory, 2), 1)
    assert Store(memory, 2).newest() is not None


def test_a_report_names_the_newest_manifest_without_reading_the_rest(memory: Path) -> None:
    commit(Store(memory, 2), 1)
    commit(Store(memory, 2), 2)
    (memory / "step-2.1" / "manifest.json").write_bytes(b"")
    saved = newest_saved(memory)
    assert saved is not None
    assert saved.step == 1
    assert newest_saved(memory / "nowhere") is None
