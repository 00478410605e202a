"""How long a save stops training, a stop takes, and a resume: against the least that a script of one's own can do."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from select import select
from time import perf_counter, sleep
from typing import Any

from tests.bench.trainer import pods
from tests.bench.trainer.cases import CASES, Case
from tests.bench.trainer.harness import Comparison, Measured, Rival, one_thread
from tests.support.trainer import run_config, trainer

_LARGE = Case("mlp", {"type": "mlp", "hiddenUnits": [1024, 1024]}, (20,), batch=256, steps=40, epochs=10_000)
_ONE_STEP = Case("mlp", CASES["mlp"].model, (20,), batch=256, steps=1, epochs=2)


def _script(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", f"tests.bench.trainer.{name}", *arguments]


def _printed(command: Sequence[str]) -> float:
    """What a program says last."""
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=pods.SECONDS, check=True, env={**os.environ, **one_thread()}
    )
    return float(finished.stdout.splitlines()[-1])


def _stall(what: str, folder: Path) -> Measured:
    return Measured(_printed(_script("stall", what, str(folder))))


def _stop(folder: Path) -> Measured:
    training = _LARGE.training(_LARGE.write(folder))
    with trainer(run_config(folder / "run", training), folder, **one_thread()) as pod:
        pod.wait_for_epoch(2)
        seconds = _seconds_to_stop(pod.process)
        pods.require(pod, 43)
        return Measured(seconds)


def _stop_by_hand(folder: Path) -> Measured:
    training = _LARGE.training(_LARGE.write(folder))
    with _by_hand(folder, training) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["epoch"] < 2:
            pass
        return Measured(_seconds_to_stop(process))


def _seconds_to_stop(process: "subprocess.Popen[str]") -> float:
    """From SIGTERM to its end. Popen's own wait with a limit looks only every 50 ms."""
    descriptor = os.pidfd_open(process.pid)
    try:
        sleep(0.2)  # into the steps of the next epoch: both sides save at the end of one
        begin = perf_counter()
        process.send_signal(signal.SIGTERM)
        ended, _, _ = select([descriptor], [], [], pods.SECONDS)
        seconds = perf_counter() - begin
    finally:
        os.close(descriptor)
    if not ended:
        raise RuntimeError(f"a process did not end within {pods.SECONDS} s of SIGTERM")
    return seconds


def _resume(folder: Path) -> Measured:
    data = _ONE_STEP.write(folder)
    with trainer(run_config(folder / "run", _ONE_STEP.training(data)), folder, **one_thread()) as pod:
        pods.require(pod, 0)
    (folder / "run" / "done.json").unlink()
    longer = _ONE_STEP.training(data, epochs=3)
    begin = perf_counter()
    with trainer(run_config(folder / "run", longer, attempt=2), folder, **one_thread()) as pod:
        epoch = pod.wait_for("epoch")
        seconds = perf_counter() - begin
    assert epoch["epoch"] == 3, epoch
    return Measured(seconds)


def _resume_by_hand(folder: Path) -> Measured:
    data = _ONE_STEP.write(folder)
    with _by_hand(folder, _ONE_STEP.training(data)) as process:
        process.wait(pods.SECONDS)
    begin = perf_counter()
    with _by_hand(folder, _ONE_STEP.training(data, epochs=3)) as process:
        assert process.stdout is not None
        epoch = json.loads(process.stdout.readline())
        seconds = perf_counter() - begin
    assert epoch["epoch"] == 3, epoch
    return Measured(seconds)


def _by_hand(folder: Path, training: dict[str, Any]) -> "subprocess.Popen[str]":
    command = _script("by_hand", json.dumps(training), str(folder / "state.pt"))
    environment = {**os.environ, **one_thread()}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


COMPARISONS = (
    Comparison(
        "save-stall",
        "a save of 512 MB while training goes on: how long the loop stands still",
        "seconds",
        partial(_stall, "save"),
        (Rival("a copy of it into new memory", partial(_stall, "copy"), 2.0),),
        "less",
    ),
    Comparison(
        "stop",
        "mlp of 13 MB with its optimizer: from SIGTERM to the end of the process, all on disk",
        "seconds",
        _stop,
        (Rival("a script that saves after its step, with fsync", _stop_by_hand, 1.5),),
        "less",
    ),
    Comparison(
        "resume",
        "mlp: from the start of the process to the line that tells of the first resumed step",
        "seconds",
        _resume,
        (Rival("a script that loads its state and goes on", _resume_by_hand, 1.1),),
        "less",
    ),
)
