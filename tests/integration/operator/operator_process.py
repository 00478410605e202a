"""The operator as a process of its own, with the rights of its own service account."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_cluster.ports import reserved_ports
from support.waiting import PATIENCE, wait_for


class OperatorProcess:
    """Started and ended by tests."""

    def __init__(self, kubeconfig: Path, log: Path) -> None:
        self.kubeconfig, self.log = kubeconfig, log
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        """Start it and wait until it is ready; settings are its variables without their prefix."""
        if self._process is not None:
            return
        with reserved_ports(1) as (self.port,):
            self._start(settings)
            wait_for(self._is_ready, f"the operator to be ready; its log is {self.log}")

    def _start(self, settings: Mapping[str, str]) -> None:
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "TRAININGJOB_OPERATOR_ADDRESS": "127.0.0.1",
            "TRAININGJOB_OPERATOR_PORT": str(self.port),
            "TRAININGJOB_OPERATOR_POLL_SECONDS": "1",
            "TRAININGJOB_OPERATOR_RETRY_SECONDS": "2",
            **{f"TRAININGJOB_OPERATOR_{name}": value for name, value in settings.items()},
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "training_operator"], env=environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """SIGKILL, as when its node dies."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self._end(signal.SIGTERM)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """SIGSTOP while the block runs, as when its machine is frozen."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(PATIENCE)

    def _is_ready(self) -> bool:
        assert self.is_running, f"the operator has ended: {self.log.read_text()}"
        return self.get("/readyz") is not None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def get(self, path: str) -> str | None:
        """The body, None when it does not answer with 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            error.close()
            return None
        except OSError:
            return None
