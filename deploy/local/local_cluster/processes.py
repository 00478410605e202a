"""Processes that outlive the program that started them: started detached, written down, found again.
A process is recognised by pid and start time, so a reused pid is never taken for ours."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from local_cluster import procfs


@dataclass(frozen=True)
class Process:
    """A process of ours; it may have ended since."""

    name: str
    pid: int
    start_time: int

    @property
    def is_alive(self) -> bool:
        with contextlib.suppress(ChildProcessError):  # a zombie of our own would keep its pid
            os.waitpid(self.pid, os.WNOHANG)
        return procfs.start_time(self.pid) == self.start_time

    def signal(self, number: signal.Signals) -> None:
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def stop(self, grace: float = 10.0) -> None:
        """End it: SIGTERM, then SIGKILL after the grace period in seconds. Returns once it is gone."""
        self.terminate()
        if not self.wait(grace):
            self.signal(signal.SIGKILL)
            self.wait(5.0)

    def wait(self, timeout: float) -> bool:
        """Whether it ended within the timeout in seconds."""
        deadline = time.monotonic() + timeout
        while self.is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def start(name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start a command in a session of its own, its output appended to the log, and return at once."""
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGTERM],
    )
    return Process(name, pid, procfs.start_time(pid) or 0)


class Register:
    """The processes that belong to one directory, kept in a file beside what they work on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def living(self) -> dict[str, Process]:
        """The recorded processes that still run, by name."""
        return {process.name: process for process in self._read() if process.is_alive}

    def add(self, process: Process) -> None:
        self.write([*self.living().values(), process])

    def write(self, processes: Iterable[Process]) -> None:
        write_atomically(self._path, json.dumps([asdict(process) for process in processes]))

    def _read(self) -> list[Process]:
        with contextlib.suppress(FileNotFoundError):
            return [Process(**entry) for entry in json.loads(self._path.read_text())]
        return []


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new, never a part."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    temporary.replace(path)
