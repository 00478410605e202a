"""Networks that are compiled: the same exactness, and a clear word where there is no compiler."""

import shutil
import signal
from pathlib import Path

import pytest

from support.fork_server import ForkServer, Interruption
from support.trainer import history_of, newest_checkpoint, newest_tensors, recipe, run_config, trainer
from trainingjob_api.contract import ExitCode

FULL_BATCHES = 5
"""Of an epoch; the last batch has a single row."""


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler")
@pytest.mark.parametrize("ranks", [pytest.param(1, marks=pytest.mark.exhaustive), 2])
def test_interrupted_before_a_batch_of_another_size(
    server: ForkServer, table: Path, tmp_path: Path, ranks: int
) -> None:
    """A resumed training meets the sizes in another order than one that was not interrupted."""
    training = recipe(table, epochs=3, compile=True)
    saved = {"checkpointEvery": {"steps": FULL_BATCHES}}
    assert server.start(run_config(tmp_path / "undisturbed", training, **saved), ranks).codes() == [0] * ranks

    disturbed = tmp_path / "disturbed"
    kill = Interruption(FULL_BATCHES + 1, signal.SIGKILL, range(ranks), once_saved=True)
    first = server.start(run_config(disturbed, training, **saved), ranks, interruption=kill)
    assert first.codes() == [-signal.SIGKILL] * ranks
    assert newest_checkpoint(disturbed).name == f"step-{FULL_BATCHES}.1"
    assert server.start(run_config(disturbed, training, 2, **saved), ranks).codes() == [0] * ranks
    assert newest_tensors(disturbed) == newest_tensors(tmp_path / "undisturbed")
    assert history_of(disturbed) == history_of(tmp_path / "undisturbed")


def test_without_a_compiler_it_says_what_is_missing(table: Path, tmp_path: Path) -> None:
    training = recipe(table, compile=True)
    with trainer(run_config(tmp_path / "c", training), tmp_path, CXX="no-such-compiler") as pod:
        assert pod.end() == ExitCode.USER_ERROR, pod.text()
    assert "training.compile" in pod.message().message
    assert "PACKAGES=g++" in pod.message().message
