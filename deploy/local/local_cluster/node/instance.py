"""One run of a container: a shim process and a folder with its log, its termination message and how it ended.
The folder is enough to find the run again, so a node that was restarted adopts what still runs."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from local_cluster import procfs
from local_cluster.node import shim
from local_cluster.node.status import Terminated, timestamp
from local_cluster.node.translation import as_in_container
from local_cluster.processes import Process, write_atomically

_MESSAGE_LIMIT = 4096
_FALLBACK_LINES, _FALLBACK_LIMIT = 80, 2048
_PACKAGES = Path(__file__).resolve().parents[2]
_LOST = "the container's processes vanished without telling how they ended"


@dataclass(frozen=True)
class Launch:
    """What to start, and how to read its end."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    logs_are_fallback: bool
    paths: Mapping[str, str]
    """Path in the container -> path on this machine."""


class Instance:
    """A folder, and the shim that works in it or did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: Process | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def termination_log(self) -> Path:
        return self.folder / "termination-log"

    @property
    def started(self) -> str:
        """When, as the API writes times."""
        return timestamp((self.folder / "process.json").stat().st_mtime)

    def start(self, launch: Launch) -> None:
        exit_path = str(self.folder / "exit.json")
        launch.directory.mkdir(parents=True, exist_ok=True)
        write_atomically(
            self.folder / "spec.json",
            json.dumps(
                {
                    "command": list(launch.command),
                    "environment": dict(launch.environment),
                    "directory": str(launch.directory),
                    "logs_are_fallback": launch.logs_are_fallback,
                    "paths": dict(launch.paths),
                    "exit": exit_path,
                }
            ),
        )
        self._process = self._spawn()
        write_atomically(self.folder / "process.json", json.dumps(asdict(self._process)))

    @classmethod
    def adopt(cls, folder: Path) -> "Instance | None":
        """The run in a folder, whether it still goes on or not; None when it never came to be one."""
        instance = cls(folder)
        try:
            instance._process = Process(**json.loads((folder / "process.json").read_text()))
        except FileNotFoundError:
            return None
        return instance

    def launched(self) -> Launch:
        """What was started here."""
        spec = json.loads((self.folder / "spec.json").read_text())
        directory, paths = Path(spec["directory"]), spec.get("paths", {})  # a node of before had none
        return Launch(spec["command"], spec["environment"], directory, spec["logs_are_fallback"], paths)

    async def wait(self) -> Terminated:
        """How it ended, once nothing of it is left."""
        if self._process is not None:
            await _ended(self._process)
        return self.end()

    def end(self) -> Terminated:
        """What the shim wrote down, with the message that the container left."""
        try:
            end = json.loads((self.folder / "exit.json").read_text())
        except FileNotFoundError:
            return Terminated(137, "ContainerStatusUnknown", _LOST, self.started, timestamp())
        reason = end["reason"] or ("Completed" if end["code"] == 0 else "Error")
        if (self.folder / "oom").exists():
            reason = "OOMKilled"
        message = end["message"] or self._message(failed=end["code"] != 0)
        return Terminated(end["code"], reason, message, self.started, timestamp(end["finished"]))

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive

    def terminate(self) -> None:
        if self._process:
            self._process.signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL for everything in the container; the shim stays to report it."""
        if self._process:
            self._process.signal(shim.KILL)

    def kill_for_memory(self) -> None:
        (self.folder / "oom").touch()
        self.kill()

    def pids(self, children: dict[int, list[int]]) -> list[int]:
        """The container's processes, the shim not among them."""
        return procfs.descendants(self._process.pid, children) if self._process else []

    def _spawn(self) -> Process:
        # -S: no site-packages, so that the shim starts fast and stays small.
        command = [sys.executable, "-S", "-m", shim.__name__, str(self.folder / "spec.json")]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            command[0],
            command,
            {"PYTHONPATH": str(_PACKAGES), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=shim.BLOCKED,
        )
        return Process("shim", pid, procfs.start_time(pid) or 0)

    def _message(self, failed: bool) -> str:
        with contextlib.suppress(OSError), self.termination_log.open("rb") as file:
            if text := file.read(_MESSAGE_LIMIT):
                return as_in_container(text.decode(errors="replace"), self.launched().paths)
        return self._log_tail() if failed and self.launched().logs_are_fallback else ""

    def _log_tail(self) -> str:
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _FALLBACK_LIMIT))
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
        return "".join(lines[-_FALLBACK_LINES:])


async def _ended(process: Process) -> None:
    """Wait for a process that need not be our child."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(handle, ended.set)
        if process.is_alive:  # asked after the handle was opened: it cannot be another process' handle
            await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    assert not process.is_alive  # reaps it, when it was our child
