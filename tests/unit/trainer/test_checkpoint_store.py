"""Checkpoints on a disk that lies, fills up and is cut off."""

import errno
import os
import random
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trainer.checkpoint import files as files_module
from trainer.checkpoint import manifest as manifests
from trainer.checkpoint import store as store_module
from trainer.checkpoint.manifest import Manifest
from trainer.checkpoint.store import Name, Store, newest_saved
from trainer.errors import CheckpointCorrupt, Superseded
from trainingjob_api.progress import SavedCheckpoint

CONTENT = {"model.safetensors": bytes(range(256)) * 4, "state.json": b'{"epoch": 3}'}


def commit(store: Store, step: int, attempt: int = 1, keep_step: int | None = None, marker: bytes = b"") -> None:
    files = {**CONTENT, "state.json": b'{"step": %d}%b' % (step, marker)}
    saved = SavedCheckpoint(
        step=step,
        epoch=1,
        attempt=attempt,
        path=f"step-{step}.{attempt}",
        size_bytes=sum(map(len, files.values())),
        save_time=datetime(2026, 1, 1, tzinfo=UTC),
        save_seconds=0.5,
    )
    described = {name: manifests.describe(content) for name, content in files.items()}
    store.commit(files, Manifest(saved=saved, all_finite=True, files=described), keep_step)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("step-*")}


def test_what_was_committed_is_loaded(tmp_path: Path) -> None:
    commit(Store(tmp_path, 2), 10)
    loaded = Store(tmp_path, 2).newest()
    assert loaded is not None
    assert (loaded.saved.step, loaded.files["model.safetensors"]) == (10, CONTENT["model.safetensors"])
    assert (tmp_path / "latest").read_text() == "step-10.1\n"


def test_an_empty_folder_has_no_newest(tmp_path: Path) -> None:
    assert Store(tmp_path / "nowhere", 2).newest() is None


def test_a_later_attempt_counts_more_than_a_higher_step(tmp_path: Path) -> None:
    commit(Store(tmp_path, 5), 100, attempt=1)
    commit(Store(tmp_path, 5), 90, attempt=2)
    loaded = Store(tmp_path, 5).newest()
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


def test_any_flipped_bit_is_noticed_and_the_one_before_is_loaded(tmp_path: Path) -> None:
    store = Store(tmp_path, 2)
    commit(store, 10)
    commit(store, 20)
    tried = 0
    for name, offset in regions(tmp_path / "step-20.1"):
        path = tmp_path / "step-20.1" / name
        whole = path.read_bytes()
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[offset] ^= 1 << bit
            path.write_bytes(flipped)
            loaded = Store(tmp_path, 2).newest()
            assert loaded is not None
            assert loaded.saved.step == 10, f"bit {bit} of byte {offset} of {name}"
            tried += 1
        path.write_bytes(whole)
    assert tried > 2000
    loaded = Store(tmp_path, 2).newest()
    assert loaded is not None
    assert loaded.saved.step == 20


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "state.json"])
def test_a_truncated_longer_or_missing_file_is_noticed(tmp_path: Path, name: str) -> None:
    commit(Store(tmp_path, 2), 10)
    path = tmp_path / "step-10.1" / name
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointCorrupt, match=r"step-10\.1"):
            Store(tmp_path, 2).newest()
    path.write_bytes(whole + b"\n")
    with pytest.raises(CheckpointCorrupt):
        Store(tmp_path, 2).newest()
    path.unlink()
    with pytest.raises(CheckpointCorrupt):
        Store(tmp_path, 2).newest()


def test_a_checkpoint_under_another_name_is_refused(tmp_path: Path) -> None:
    commit(Store(tmp_path, 2), 10)
    (tmp_path / "step-10.1").rename(tmp_path / "step-99.1")
    with pytest.raises(CheckpointCorrupt, match=r"step-10\.1"):
        Store(tmp_path, 2).newest()


def _manifest_naming(name: str, size: int) -> bytes:
    """What an attacker who knows the format would write, checksum included."""
    import hashlib
    import json

    body = json.dumps(
        {
            "format": 1,
            "saved": {
                "step": 10,
                "epoch": 1,
                "attempt": 1,
                "path": "step-10.1",
                "sizeBytes": 1,
                "saveTime": "2026-01-01T00:00:00Z",
                "saveSeconds": 0,
            },
            "allFinite": True,
            "files": {name: {"sizeBytes": size, "sha256": "0" * 64}},
        }
    ).encode()
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param("/etc/passwd", 10, id="absolute path"),
        pytest.param("../secret.json", 10, id="way up"),
        pytest.param("a/b.json", 10, id="folder"),
        pytest.param("model.pickle", 10, id="pickle"),
        pytest.param("state.json", 2**60, id="absurd size"),
        pytest.param("state.json", -1, id="negative size"),
    ],
)
def test_a_manifest_that_names_what_it_must_not_is_refused(tmp_path: Path, name: str, size: int) -> None:
    (tmp_path / "step-10.1").mkdir()
    (tmp_path / "step-10.1" / "manifest.json").write_bytes(_manifest_naming(name, size))
    with pytest.raises(CheckpointCorrupt, match="files"):
        Store(tmp_path, 2).newest()


def test_links_are_refused(tmp_path: Path) -> None:
    commit(Store(tmp_path / "real", 2) if (tmp_path / "real").mkdir() is None else None, 10)  # type: ignore[arg-type]
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "step-10.1").symlink_to(tmp_path / "real" / "step-10.1")
    assert Store(tmp_path / "c", 2).newest() is None

    shutil.copytree(tmp_path / "real" / "step-10.1", tmp_path / "c" / "step-20.1")
    weights = tmp_path / "real" / "step-10.1" / "model.safetensors"
    weights.rename(tmp_path / "weights")
    weights.symlink_to(tmp_path / "weights")
    with pytest.raises(CheckpointCorrupt, match=r"model\.safetensors"):
        Store(tmp_path / "real", 2).newest()


def test_a_device_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    commit(Store(tmp_path, 2), 10)
    (tmp_path / "step-10.1" / "state.json").unlink()
    os.mkfifo(tmp_path / "step-10.1" / "state.json")
    with pytest.raises(CheckpointCorrupt, match="not a regular file"):
        Store(tmp_path, 2).newest()


def test_the_last_ones_and_the_best_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, 2)
    for step in range(1, 8):
        commit(store, step, keep_step=3)
    assert names(tmp_path) == {"step-7.1", "step-6.1", "step-3.1"}


def test_a_damaged_one_does_not_count_as_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        commit(Store(tmp_path, 3), step)
    (tmp_path / "step-3.1" / "state.json").write_bytes(b"x")
    commit(Store(tmp_path, 2), 4)
    whole = [step for step in (1, 2, 4) if f"step-{step}.1" in names(tmp_path)]
    assert whole == [2, 4]


def test_nothing_is_deleted_unless_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that acknowledges what it does not write."""
    store = Store(tmp_path, 2)
    for step in (1, 2):
        commit(store, step)
    monkeypatch.setattr(store_module, "write_new", lambda path, content: path.write_bytes(content[:-1]))
    for step in (3, 4, 5):
        commit(store, step)
    assert {"step-1.1", "step-2.1"} <= names(tmp_path)
    loaded = Store(tmp_path, 2).newest()
    assert loaded is not None
    assert loaded.saved.step == 2


def test_a_full_disk_leaves_the_old_ones_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path, 2)
    commit(store, 1)
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        commit(store, 2)
    monkeypatch.setattr(os, "fsync", real)
    assert names(tmp_path) == {"step-1.1"}
    commit(store, 2)
    assert names(tmp_path) == {"step-1.1", "step-2.1"}


def test_a_superseded_attempt_does_not_commit(tmp_path: Path) -> None:
    def refuse() -> None:
        raise Superseded("a newer attempt")

    commit(Store(tmp_path, 2), 1)
    with pytest.raises(Superseded):
        commit(Store(tmp_path, 2, refuse), 2)
    assert Store(tmp_path, 2).names() == [Name(1, 1)]


def test_a_damaged_checkpoint_of_this_very_step_is_replaced(tmp_path: Path) -> None:
    commit(Store(tmp_path, 2), 1)
    (tmp_path / "step-1.1" / "state.json").unlink()
    commit(Store(tmp_path, 2), 1)
    assert Store(tmp_path, 2).newest() is not None


def _counted_calls() -> list[tuple[object, str]]:
    return [(os, name) for name in ("open", "write", "fsync", "unlink")] + [
        (Path, name) for name in ("mkdir", "rename", "unlink")
    ]


def _commit_and_die_at(folder: Path, call: int) -> bool:
    """In a child: commits a third checkpoint and is killed at its n-th call of the system. False: there are fewer."""
    child = os.fork()
    if child == 0:
        _die_at(call)
        commit(Store(folder, 2), 3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _die_at(call: int) -> None:
    made = 0

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object, **kwargs: object) -> object:
            nonlocal made
            made += 1
            if made == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapper

    for owner, name in _counted_calls():
        setattr(owner, name, counted(getattr(owner, name)))


def test_a_crash_at_any_call_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    crashes = 0
    for call in range(1, 200):
        folder = tmp_path / str(call)
        folder.mkdir()
        for step in (1, 2):
            commit(Store(folder, 2), step)
        if not _commit_and_die_at(folder, call):
            break
        crashes += 1
        loaded = Store(folder, 2).newest()
        assert loaded is not None
        assert loaded.saved.step in (2, 3)
        Store(folder, 2).remove_unfinished()
        commit(Store(folder, 2), 4)  # the next attempt goes on
        assert len(Store(folder, 2).names()) == 2
    assert crashes > 15


def test_everything_is_on_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that survives a power cut: files, manifest, their folder; only then the name; then the parent."""
    order: list[str] = []
    real_write, real_sync, real_rename = files_module.write_new, files_module.sync_folder, Path.rename

    def write(path: Path, content: bytes) -> None:
        real_write(path, content)
        order.append(f"write {path.name}")

    def sync(path: Path) -> None:
        real_sync(path)
        order.append(f"sync {path.name}")

    def rename(path: Path, target: Path) -> Path:
        order.append(f"rename {target.name}")
        return real_rename(path, target)

    monkeypatch.setattr(store_module, "write_new", write)
    monkeypatch.setattr(store_module, "sync_folder", sync)
    monkeypatch.setattr(Path, "rename", rename)
    commit(Store(tmp_path, 2), 1)
    assert order[:6] == [
        "write model.safetensors",
        "write state.json",
        "write manifest.json",
        "sync step-1.1.tmp",
        "rename step-1.1",
        f"sync {tmp_path.name}",
    ]


def test_a_file_is_synced_before_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("write", "fsync", "close"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, real=real, name=name: (calls.append(name), real(*args))[1])
    files_module.write_new(tmp_path / "file", b"content")
    assert calls == ["write", "fsync", "close"]


def test_a_report_names_the_newest_manifest_without_reading_the_rest(tmp_path: Path) -> None:
    commit(Store(tmp_path, 2), 1)
    commit(Store(tmp_path, 2), 2)
    (tmp_path / "step-2.1" / "manifest.json").write_bytes(b"")
    saved = newest_saved(tmp_path)
    assert saved is not None
    assert saved.step == 1
    assert newest_saved(tmp_path / "nowhere") is None
