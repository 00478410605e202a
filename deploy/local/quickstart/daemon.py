"""A server beside the embedded cluster, started detached and found again by pid and start time."""

import os
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from local_cluster import processes
from local_cluster.ports import reserved_ports
from local_cluster.processes import Process, Register

READY_TIMEOUT = 60.0  # seconds


class Daemon(ABC):
    """One server; what is its own is how it is started and where it says that it is ready."""

    name: str
    ready_path: str

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self.log = folder, log
        self._register, self._port_file = Register(folder / "process.json"), folder / "port"

    @abstractmethod
    def command(self, port: int) -> list[str]:
        """What to start, listening on that port."""

    def environment(self, port: int) -> Mapping[str, str]:
        return os.environ

    @property
    def process(self) -> Process | None:
        """None when it does not run."""
        return self._register.living().get(self.name)

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return int(self._port_file.read_text())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it unless it runs, where it was before if that is free; returns once it is ready."""
        before = [self.port] if self._port_file.exists() else []
        with reserved_ports(1, before) as (port,):
            if self.process is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._port_file.write_text(str(port))
                command, environment = self.command(port), self.environment(port)
                self._register.add(processes.start(self.name, command, self.log, environment))
            self._wait_until_ready()

    def stop(self) -> None:
        if process := self.process:
            process.stop()

    def kill(self) -> None:
        """SIGKILL, as when its node dies."""
        if process := self.process:
            process.stop(grace=0)

    @property
    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}{self.ready_path}", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while not self.is_ready:
            if self.process is None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not become ready; its log is {self.log}")
            time.sleep(0.1)
