"""The gateway as a process, which a test may stop and start again at the same port."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from support.waiting import wait_for


class Gateway:
    """Serves the cluster of a kubeconfig."""

    def __init__(self, kubeconfig: Path, folder: Path, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._kubeconfig, self._log, self._port = kubeconfig, folder / "gateway.log", port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "training_gateway", "--address", "127.0.0.1", "--port", str(self._port)]
        with self._log.open("ab") as log:
            environment = {**os.environ, "KUBECONFIG": str(self._kubeconfig)}
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_for(self._is_ready, f"the gateway; its log:\n{self._log.read_text()}")

    def stop(self) -> None:
        """As `kubectl delete pod` does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._process = None

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False
