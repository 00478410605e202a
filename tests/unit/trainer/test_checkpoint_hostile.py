"""Folders made by somebody who may write to the volume and wishes us ill: we run nothing, follow nothing, wait for
nothing, and take no more memory than what is there."""

import hashlib
import json
import os
import pickle
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.checkpoints import commit, newest_step
from support.trainer import recipe, run_config
from trainer.checkpoint.folder import Folder
from trainer.checkpoint.store import Store, newest_saved
from trainer.errors import CheckpointCorrupt, Superseded, VolumeNotWritable
from trainer.reporting.history import History
from trainingjob_api.progress import Outcome, Progress, State

TRAINING = recipe(Path("/data/table.csv"))
MANIFEST = "step-20.1/manifest.json"
WEIGHTS = "step-20.1/model.safetensors"


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """Whoever waits for a pipe, or takes a gigabyte for a claim, fails here instead of at the end of the day."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 256 * 1024**2, before[1]))
    signal.alarm(20)
    yield
    signal.alarm(0)
    resource.setrlimit(resource.RLIMIT_AS, before)


class Payload:
    """What a pickle would do when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def signed(body: str) -> bytes:
    """A manifest as somebody writes it who knows the format: with its checksum."""
    return body.encode() + b"\n" + hashlib.sha256(body.encode()).hexdigest().encode() + b"\n"


def manifest_of(files: dict[str, tuple[int, str]]) -> bytes:
    saved = {"step": 20, "epoch": 1, "attempt": 1, "path": "step-20.1", "sizeBytes": 1, "saveSeconds": 0}
    described = {name: {"sizeBytes": size, "sha256": digest} for name, (size, digest) in files.items()}
    when = {"saveTime": "2026-01-01T00:00:00Z"}
    return signed(json.dumps({"format": 1, "saved": {**saved, **when}, "allFinite": True, "files": described}))


def replaced_by(path: str, content: bytes) -> Callable[[Path, Path], None]:
    def spoil(folder: Path, outside: Path) -> None:
        (folder / path).write_bytes(content)

    return spoil


def naming(name: str, size: int = 10) -> Callable[[Path, Path], None]:
    return replaced_by(MANIFEST, manifest_of({name: (size, "0" * 64)}))


def pickled(folder: Path, outside: Path) -> None:
    """Under the very names of a checkpoint, and with a manifest that names them."""
    content = pickle.dumps(Payload(outside / "executed"))
    for name in ("model.safetensors", "state.json", "model.pt"):
        (folder / "step-20.1" / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(manifest_of({"model.pt": (len(content), hashlib.sha256(content).hexdigest())}))


def sparse(path: str, size: int) -> Callable[[Path, Path], None]:
    def spoil(folder: Path, outside: Path) -> None:
        with (folder / path).open("wb") as file:
            file.truncate(size)

    return spoil


def pipe(path: str) -> Callable[[Path, Path], None]:
    def spoil(folder: Path, outside: Path) -> None:
        (folder / path).unlink()
        os.mkfifo(folder / path)

    return spoil


def link(path: str) -> Callable[[Path, Path], None]:
    """To the same file or folder, outside: its checksums fit."""

    def spoil(folder: Path, outside: Path) -> None:
        shutil.move(folder / path, outside / "moved")
        (folder / path).symlink_to(outside / "moved")

    return spoil


def device(path: str) -> Callable[[Path, Path], None]:
    def spoil(folder: Path, outside: Path) -> None:
        (folder / path).unlink()
        (folder / path).symlink_to("/dev/zero")

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(pickled, id="pickles"),
        pytest.param(naming("/etc/passwd"), id="an absolute path"),
        pytest.param(naming("../secret.json"), id="a way up"),
        pytest.param(naming("a/b.json"), id="a folder in a name"),
        pytest.param(naming("state.json\\u0000.json"), id="a zero byte in a name"),
        pytest.param(naming("state.json", 2**60), id="an absurd size"),
        pytest.param(naming("state.json", 2**44), id="a size that is allowed, but not there"),
        pytest.param(naming("state.json", -1), id="a negative size"),
        pytest.param(replaced_by(MANIFEST, signed("[" * 400_000)), id="deeply nested lists"),
        pytest.param(replaced_by(MANIFEST, signed('{"saved":' * 80_000)), id="deeply nested objects"),
        pytest.param(replaced_by(MANIFEST, signed("1" * 1_000_000)), id="a number of a million digits"),
        pytest.param(replaced_by(MANIFEST, signed("null")), id="nothing, signed"),
        pytest.param(replaced_by(MANIFEST, b"\xff\xfe" * 1000), id="no text at all"),
        pytest.param(sparse(MANIFEST, 10 * 1024**3), id="a manifest of 10 GB"),
        pytest.param(sparse(WEIGHTS, 10 * 1024**3), id="weights of 10 GB"),
        pytest.param(pipe(MANIFEST), id="a pipe for a manifest"),
        pytest.param(pipe(WEIGHTS), id="a pipe for weights"),
        pytest.param(device(MANIFEST), id="an endless device for a manifest"),
        pytest.param(device(WEIGHTS), id="an endless device for weights"),
        pytest.param(link(MANIFEST), id="a link for a manifest"),
        pytest.param(link(WEIGHTS), id="a link for weights"),
        pytest.param(link("step-20.1"), id="a link for a checkpoint"),
    ],
)
def test_the_checkpoint_before_is_used_and_nothing_outside_is_touched(
    memory: Path, spoil: Callable[[Path, Path], None]
) -> None:
    folder, outside = memory / "c", memory / "outside"
    folder.mkdir()
    outside.mkdir()
    for step in (10, 20):
        commit(Store(folder, 2), step)
    spoil(folder, outside)
    there = contents(outside)
    store = Store(folder, 2)
    store.remove_unfinished()
    loaded = store.newest()
    assert loaded is not None
    assert loaded.saved.step == 10
    assert len(loaded.passed_over) == 1
    assert newest_saved(folder) is not None
    for step in (30, 40, 50):  # retention comes by
        commit(store, step, attempt=2)
    assert newest_step(folder) == 50
    assert not (folder / "step-20.1").exists()
    assert contents(outside) == there

    for name in store.names():
        shutil.rmtree(folder / str(name))
    (memory / "elsewhere").mkdir()
    commit(Store(folder, 2), 20)
    spoil(folder, memory / "elsewhere")
    with pytest.raises(CheckpointCorrupt, match=r"step-20\.1"):
        Store(folder, 2).newest()


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def test_a_checkpoint_under_another_name_is_refused(memory: Path) -> None:
    commit(Store(memory, 2), 10)
    (memory / "step-10.1").rename(memory / "step-99.1")
    with pytest.raises(CheckpointCorrupt, match=r"step-10\.1"):
        Store(memory, 2).newest()


@pytest.mark.parametrize("name", ["step-010.1", "step-10.01", "step-١٠.1", "step--1.1", "step-1e3.1", "step-10.1.1"])
def test_a_name_that_we_would_not_give_does_not_count(memory: Path, name: str) -> None:
    """Two names of one step would count as two checkpoints to keep."""
    commit(Store(memory, 2), 10)
    shutil.copytree(memory / "step-10.1", memory / name)
    assert [str(found) for found in Store(memory, 2).names()] == ["step-10.1"]


@pytest.mark.parametrize("in_the_way", ["step-30.1", "step-30.1.tmp"])
@pytest.mark.parametrize("kind", ["link to a folder", "link to a file", "dangling link", "file", "folder", "pipe"])
def test_what_lies_where_a_save_wants_to_write_makes_way(memory: Path, in_the_way: str, kind: str) -> None:
    outside, path = memory / "outside", memory / "c" / in_the_way
    outside.mkdir()
    (outside / "manifest.json").write_text("precious")
    (memory / "c").mkdir()
    match kind:
        case "link to a folder":
            path.symlink_to(outside)
        case "link to a file":
            path.symlink_to(outside / "manifest.json")
        case "dangling link":
            path.symlink_to(outside / "nothing")
        case "file":
            path.write_text("x")
        case "folder":
            (path / "below").mkdir(parents=True)
        case "pipe":
            os.mkfifo(path)
    commit(Store(memory / "c", 2), 30)
    assert newest_step(memory / "c") == 30
    assert contents(outside) == {str(outside / "manifest.json"): b"precious"}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(sparse("attempt.json", 10 * 1024**3), id="10 GB"),
        pytest.param(pipe("attempt.json"), id="a pipe"),
        pytest.param(device("attempt.json"), id="an endless device"),
        pytest.param(link("attempt.json"), id="a link"),
        pytest.param(replaced_by("attempt.json", b"[" * 500_000), id="deeply nested"),
        pytest.param(replaced_by("attempt.json", b'{"generation": 99, "uid": "x"}'), id="without a checksum"),
        pytest.param(replaced_by("job.json", b'{"identity": {}, "uid": "x"}'), id="the job's, without a checksum"),
    ],
)
def test_a_spoilt_record_is_written_anew(memory: Path, spoil: Callable[[Path, Path], None]) -> None:
    (memory / "outside").mkdir()
    Folder(run_config(memory / "c", TRAINING, 2)).claim()
    spoil(memory / "c", memory / "outside")
    there = contents(memory / "outside")
    following = Folder(run_config(memory / "c", TRAINING, 3))
    following.claim()
    following.check_fence()
    with pytest.raises(Superseded):
        Folder(run_config(memory / "c", TRAINING, 2)).check_fence()
    assert contents(memory / "outside") == there


@pytest.mark.parametrize("record", ["job.json", "attempt.json", "done.json"])
def test_a_flipped_bit_in_a_record_is_as_if_it_were_missing(memory: Path, record: str) -> None:
    """Not another attempt's number, another recipe, or an end that never was."""
    config = run_config(memory / "c", TRAINING, 2)
    folder = Folder(config)
    folder.claim()
    folder.write_done(Outcome.COMPLETED, "done", Progress(uid="uid-1", attempt=2, state=State.FINISHED, epochs=12))
    path = memory / "c" / record
    whole = path.read_bytes()
    for number in range(0, len(whole) * 8, 23):
        flipped = bytearray(whole)
        flipped[number // 8] ^= 1 << number % 8
        path.write_bytes(flipped)
        folder.check_fence()
        assert folder.generation in (1, 2, 3)
        done = folder.done()
        assert done is None or done.epochs == 12
        Folder(config.model_copy(update={"attempt": 3})).claim()
        Folder(config.model_copy(update={"attempt": 4})).check_fence()
        shutil.rmtree(memory / "c")
        folder.claim()
        folder.write_done(Outcome.COMPLETED, "done", Progress(uid="uid-1", attempt=2, state=State.FINISHED, epochs=12))


def test_a_folder_that_is_a_link_is_refused(memory: Path) -> None:
    (memory / "outside").mkdir()
    (memory / "c").symlink_to(memory / "outside")
    with pytest.raises(VolumeNotWritable, match="is a link"):
        Folder(run_config(memory / "c", TRAINING)).claim()
    assert contents(memory / "outside") == {}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(pipe("history.jsonl"), id="a pipe"),
        pytest.param(link("history.jsonl"), id="a link"),
        pytest.param(device("history.jsonl"), id="an endless device"),
        pytest.param(sparse("history.jsonl", 10 * 1024**3), id="10 GB"),
        pytest.param(replaced_by("history.jsonl", b"\xff\xfe\n[]\n3\n{}\n" + b"[" * 100_000 + b"\n"), id="no history"),
    ],
)
def test_a_spoilt_history_is_written_anew(memory: Path, spoil: Callable[[Path, Path], None]) -> None:
    (memory / "c").mkdir()
    (memory / "outside").mkdir()
    (memory / "c" / "history.jsonl").write_text('{"epoch": 1}\n')
    spoil(memory / "c", memory / "outside")
    there = contents(memory / "outside")
    history = History(memory / "c")
    history.keep_until(7)
    assert history.epochs() == []
    history.flush()
    assert (memory / "c" / "history.jsonl").read_bytes() == b""
    assert contents(memory / "outside") == there
