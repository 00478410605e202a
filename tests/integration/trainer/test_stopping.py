"""SIGTERM in every phase of a pod's life: it ends soon, truthfully, and nothing that was done is lost."""

import os
import signal
import time
from pathlib import Path

import pytest

from support.checkpoints import newest_step
from support.fork_server import ForkServer
from support.scripts import script_config, write_script
from support.trainer import (
    TrainerProcess,
    history_of,
    newest_tensors,
    recipe,
    run_config,
    trainer,
)
from support.waiting import wait_for
from trainer.pod.ports import reserved_port
from trainer.pod.processes import is_stuck
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import Outcome, RunConfig

SOON = 60.0  # seconds; far below what a rendezvous or a collective would hold a signal back


def stop(pod: TrainerProcess, number: signal.Signals = signal.SIGTERM) -> int:
    """Asks a pod to stop; its exit code, and it must come soon."""
    begin = time.monotonic()
    pod.signal(number)
    code = pod.end()
    assert time.monotonic() - begin < SOON
    return code


def test_before_the_supervisor_has_imported_anything(table: Path, tmp_path: Path) -> None:
    with trainer(run_config(tmp_path / "c", recipe(table)), tmp_path) as pod:
        blocked = 1 << (signal.SIGTERM - 1)
        status = Path(f"/proc/{pod.process.pid}/status")

        def is_blocked() -> bool:
            line = next(line for line in status.read_text().splitlines() if line.startswith("SigBlk"))
            return bool(int(line.split()[1], 16) & blocked)

        wait_for(is_blocked, "SIGTERM to be blocked", 0.002)
        assert stop(pod) == ExitCode.STOPPED
        assert pod.message().outcome is Outcome.STOPPED


def test_while_torch_is_imported(table: Path, tmp_path: Path) -> None:
    with trainer(run_config(tmp_path / "c", recipe(table)), tmp_path) as pod:
        pod.wait_for("started")
        assert stop(pod) == ExitCode.STOPPED
        message = pod.message()
        assert message.outcome is Outcome.STOPPED
        assert "nothing to save yet" in message.message
        assert message.saved_step is None


def test_while_the_data_is_read(table: Path, tmp_path: Path) -> None:
    """From a volume that does not answer; a pipe stands in for it."""
    training = recipe(table)
    training["data"]["path"] = str(tmp_path / "slow.csv")
    os.mkfifo(tmp_path / "slow.csv")
    with trainer(run_config(tmp_path / "c", training), tmp_path) as pod:
        pod.wait_for("started")
        (rank,) = pod.ranks().values()
        wait_for(lambda: _is_opening(rank), "the data to be opened", 0.002)
        assert stop(pod) == ExitCode.STOPPED
        assert "nothing to save yet" in pod.message().message


@pytest.mark.parametrize("kind", ["recipe", "program"])
def test_while_a_peer_is_missing(table: Path, tmp_path: Path, kind: str) -> None:
    program = write_script(tmp_path, "print('begun without its peer')")
    config = run_config(tmp_path / "c", recipe(table)) if kind == "recipe" else script_config(tmp_path / "c", program)
    with (
        reserved_port() as port,
        trainer(config, tmp_path, PET_NNODES="2", PET_MASTER_PORT=str(port), PET_NODE_RANK="0") as pod,
    ):
        wait_for(lambda: _listens(port), "rank 0 to wait for the other pod")
        assert stop(pod) == ExitCode.STOPPED
        assert pod.message().outcome is Outcome.STOPPED
        assert "begun" not in pod.text()


def test_in_one_pod_of_two_stops_both_after_the_same_step(table: Path, tmp_path: Path) -> None:
    config = run_config(tmp_path / "c", recipe(table, epochs=100_000))
    with (
        reserved_port() as port,
        trainer(config, tmp_path, PET_NNODES="2", PET_MASTER_PORT=str(port), PET_NODE_RANK="0") as first,
        trainer(config, tmp_path, PET_NNODES="2", PET_MASTER_PORT=str(port), PET_NODE_RANK="1") as second,
    ):
        first.wait_for_epoch(2)
        assert stop(second) == ExitCode.STOPPED
        assert first.end() == ExitCode.STOPPED
        saved = first.message().saved_step
        assert saved is not None
        assert f"saved at step {saved}," in second.message().message
        assert (tmp_path / "c" / f"step-{saved}.1" / "manifest.json").exists()


def test_again_and_again_loses_nothing(server: ForkServer, table: Path, tmp_path: Path) -> None:
    """Two ranks, stopped at the start of several attempts; the end is that of an undisturbed run."""
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    reference, saved = server.start(run_config(undisturbed, recipe(table, epochs=30)), ranks=2), 0
    for attempt in (1, 2):
        with trainer(run_config(disturbed, recipe(table, epochs=30), attempt), tmp_path, ranks=2) as pod:
            pod.wait_for_epoch(saved // 6 + 3)
            assert stop(pod) == ExitCode.STOPPED
            message = pod.message()
            assert message.saved_step is not None
            assert message.saved_step > saved
            assert message.progress is not None
            assert message.progress.checkpoint is not None
            assert message.progress.checkpoint.on_request
            saved = message.saved_step
    with trainer(run_config(disturbed, recipe(table, epochs=30), 3), tmp_path, ranks=2) as pod:
        assert pod.end() == 0, pod.text()
        resume = pod.message().progress.resume  # type: ignore[union-attr]
        assert resume is not None
        assert (resume.from_step, resume.from_attempt, resume.exactness, resume.on_request) == (
            saved,
            2,
            "Bitwise",
            True,
        )
    assert reference.codes() == [0, 0]
    assert newest_tensors(disturbed) == newest_tensors(undisturbed)
    assert history_of(disturbed) == history_of(undisturbed)


def test_in_a_save_that_takes_longer_than_a_grace_of_5_s_but_not_than_one_of_60_s(table: Path, tmp_path: Path) -> None:
    """The short grace ends with the truth and the checkpoint before; the long one waits, and loses nothing."""

    def config(grace: int) -> RunConfig:
        every = {"deadlines": {"saveSeconds": grace}, "checkpointEvery": {"steps": 1}}
        return run_config(tmp_path / str(grace), recipe(table, epochs=100_000), **every)

    with trainer(config(5), tmp_path) as short, trainer(config(60), tmp_path) as long:
        reached, _ = _freeze_in_a_save(short, tmp_path / "5")
        _, rank = _freeze_in_a_save(long, tmp_path / "60")
        begin = time.monotonic()
        for pod in (long, short, short):  # a second request does not shorten anything
            pod.signal(signal.SIGTERM)
        assert short.end() == ExitCode.NOT_SAVED
        assert time.monotonic() - begin >= 5
        message = short.message()
        assert (message.outcome, message.message) == (
            Outcome.NOT_SAVED,
            "stopped on request, but not saved within 5 s",
        )
        assert newest_step(tmp_path / "5") == message.saved_step == reached - 1

        assert long.process.poll() is None
        os.kill(rank, signal.SIGCONT)
        assert long.end() == ExitCode.STOPPED, long.text()
        progress = long.message().progress
        assert progress is not None
        assert newest_step(tmp_path / "60") == long.message().saved_step == progress.step


def _freeze_in_a_save(pod: TrainerProcess, folder: Path) -> tuple[int, int]:
    """As a volume does that does not answer. The step that is being saved, and the rank."""
    pod.wait_for_epoch(1)
    (rank,) = pod.ranks().values()

    def step_being_saved() -> int | None:
        os.kill(rank, signal.SIGSTOP)
        wait_for(lambda: is_stuck(rank), "the rank to stand still", 0.002)
        if unfinished := list(folder.glob("step-*.tmp")):
            return int(unfinished[0].name[5:].split(".")[0])
        os.kill(rank, signal.SIGCONT)
        return None

    return wait_for(step_being_saved, "a save", 0.002), rank


def _is_opening(pid: int) -> bool:
    """Whether it waits for a file to open, as for a pipe that nobody writes to."""
    open_, openat, openat_of_arm = "2", "257", "56"
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] in (open_, openat, openat_of_arm)


def _listens(port: int) -> bool:
    tables = "".join(Path(f"/proc/net/tcp{kind}").read_text() for kind in ("", "6"))
    return any(f":{port:04X} " in line and " 0A " in line for line in tables.splitlines())
