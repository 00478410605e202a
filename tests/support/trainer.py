"""What the trainer's tests share: tables to train on, processes to train in, and checkpoints to compare."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainingjob_api.contract import RUN_ENV, TERMINATION_LOG_ENV
from trainingjob_api.progress import RunConfig, TerminationMessage

from .waiting import PATIENCE, wait_for  # the benchmarks know this package by another name


def write_table(path: Path, rows: int, seed: int = 1, classes: int = 3, regression: bool = False) -> Path:
    """A csv with six inputs a-f and a target that depends on them."""
    source = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*"abcdef", "target"])
        for _ in range(rows):
            inputs = [source.gauss(0, 1) for _ in range(6)]
            score = inputs[0] + 0.5 * inputs[1] * inputs[2] + source.gauss(0, 0.3)
            target = 100 + 20 * score if regression else f"class-{sum(score > cut for cut in (-0.5, 0.5)) % classes}"
            writer.writerow([*(f"{value:.6f}" for value in inputs), target])
    return path


def recipe(table: Path, **changes: Any) -> dict[str, Any]:
    """A recipe with everything that could go wrong in a resume: dropout, schedule, early stopping, odd last batch."""
    plain: dict[str, Any] = {
        "task": "classification",
        "epochs": 12,
        "batchSize": 16,
        "data": {"path": str(table), "target": "target", "validation": {"fraction": 0.2}},
        "model": {"type": "mlp", "hiddenUnits": [8, 8], "dropout": 0.3},
        "optimizer": {"type": "adamw", "learningRate": 0.01},
        "schedule": {"type": "cosine", "warmup": {"epochs": 2}},
        "earlyStopping": {"patience": 100_000},  # a thousand epochs take seconds, and some trainings are to be endless
        "seed": 7,
    }
    return {**plain, **changes}


def run_config(folder: Path, training: Mapping[str, Any], attempt: int = 1, **changes: Any) -> RunConfig:
    return RunConfig.model_validate(
        {
            "namespace": "default",
            "name": "job",
            "uid": "uid-1",
            "attempt": attempt,
            "training": training,
            "checkpointPath": str(folder),
            "checkpointEvery": {"epochs": 1},
            **changes,
        }
    )


@dataclass
class TrainerProcess:
    """One `python -m trainer`, that is one pod."""

    process: "subprocess.Popen[str]"
    termination_log: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def follow(self) -> None:
        """Collects what the process says, in the background."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            with suppress(ValueError):
                self.events.append(json.loads(line))

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in list(self.events) if event.get("event") == name]

    def wait_for(self, name: str, condition: Callable[[dict[str, Any]], bool] = lambda event: True) -> dict[str, Any]:
        """The first event of that name that fits."""

        def find() -> dict[str, Any] | None:
            found = next((event for event in self.named(name) if condition(event)), None)
            if found is None and self.process.poll() is not None:
                raise AssertionError(f"ended before {name!r}: {self.text()}")
            return found

        event: dict[str, Any] = wait_for(find, f"the event {name!r}", 0.002)
        return event

    def wait_for_epoch(self, number: int) -> None:
        self.wait_for("epoch", lambda event: event["epoch"] >= number)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = PATIENCE) -> int:
        """Waits for the exit code."""
        return self.process.wait(seconds)

    def message(self) -> TerminationMessage:
        return TerminationMessage.model_validate_json(self.termination_log.read_text())

    def ranks(self) -> dict[int, int]:
        """The ranks below this supervisor: rank -> PID."""
        pids = [pid for pid in descendants(self.process.pid) if command_of(pid).endswith("-m trainer.rank ")]
        return {int(environment_of(pid)["RANK"]): pid for pid in pids}

    def text(self) -> str:
        return "".join(self.lines[-30:])


@contextmanager
def trainer(
    config: RunConfig | None, tmp_path: Path, ranks: int = 1, arguments: tuple[str, ...] = (), **environment: str
) -> Iterator[TrainerProcess]:
    """Starts a pod's supervisor; whatever is left of it is killed at the end."""
    log = tmp_path / f"termination-{time.monotonic_ns()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith(("PET_", "TRAININGJOB_"))},
            **({RUN_ENV: config.model_dump_json(by_alias=True)} if config else {}),
            TERMINATION_LOG_ENV: str(log),
            "PET_NPROC_PER_NODE": str(ranks),
            "PET_MASTER_ADDR": "127.0.0.1",
            "GLOO_SOCKET_IFNAME": "lo",
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(tmp_path),
            **environment,
        },
    )
    running = TrainerProcess(process, log)
    running.follow()
    try:
        yield running
    finally:
        kill_tree(process.pid)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def descendants(root: int) -> list[int]:
    from trainer.pod.processes import descendants as below

    return below(root)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def kill_tree(root: int) -> None:
    for pid in [root, *descendants(root)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def newest_checkpoint(folder: Path) -> Path:
    """The last one: by attempt, then by step."""
    return max(folder.glob("step-*"), key=lambda path: [int(number) for number in path.name[5:].split(".")][::-1])


def newest_tensors(folder: Path) -> dict[str, Any]:
    """Every tensor of the newest checkpoint and of the exported model, as bytes."""
    from safetensors.numpy import load

    files = [*newest_checkpoint(folder).glob("*.safetensors"), *folder.glob("model/*.safetensors")]
    return {
        f"{file.name}:{name}": (value.dtype.str, value.shape, value.tobytes())
        for file in files
        for name, value in load(file.read_bytes()).items()
    }


def history_of(folder: Path) -> list[dict[str, Any]]:
    """history.jsonl without what depends on the clock, and on how often it was paused."""
    timed = {"time", "attempt", "secondsPerEpoch", "samplesPerSecond"}
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in timed} for line in lines]
