"""kubectl as a person would type it: every command that the demo runs is shown, so that it can be repeated."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from local_cluster import leash
from trainingjob_api.contract import PLURAL
from trainingjob_api.resource import TrainingJob


@dataclass(frozen=True)
class Kubectl:
    """One cluster's kubectl."""

    program: Path
    kubeconfig: Path
    console: Console

    def show(self, *args: str) -> str:
        """Print the command, run it, print and return what it says; an error when it fails."""
        self.console.print(f"[bold cyan]$ kubectl {' '.join(_quoted(arg) for arg in args)}[/]", highlight=False)
        text = self.quiet(*args)
        self.console.print(text.rstrip(), highlight=False, markup=False)
        return text

    def quiet(self, *args: str, stdin: str | None = None) -> str:
        done = subprocess.run(self._command(*args), input=stdin, capture_output=True, text=True, env=self._env())
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout or done.stderr

    def job(self, name: str) -> TrainingJob:
        return TrainingJob.model_validate_json(self.quiet("get", PLURAL, name, "-o", "json"))

    def pods(self, selector: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.quiet("get", "pods", "-l", selector, "-o", "json"))["items"]
        return found

    def watch(self, name: str) -> "Watch":
        """Follow one TrainingJob until `close()`."""
        command = self._command("get", PLURAL, name, "-o", "json", "--watch")
        return Watch(subprocess.Popen([*leash.COMMAND, *command], stdout=subprocess.PIPE, text=True, env=self._env()))

    def _command(self, *args: str) -> list[str]:
        return [str(self.program), *args]

    def _env(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}


class Watch:
    """The newest state of a TrainingJob, kept by a thread that reads `kubectl get --watch`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._changed = threading.Condition()
        self._latest: TrainingJob | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def latest(self, timeout: float) -> TrainingJob | None:
        """The newest state, after waiting at most timeout seconds for a newer one."""
        with self._changed:
            self._changed.wait(timeout)
            return self._latest

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for document in _documents(self._process.stdout):
            with self._changed:
                self._latest = TrainingJob.model_validate(document)
                self._changed.notify_all()


def _documents(stream: IO[str]) -> Iterator[Any]:
    """JSON documents that kubectl writes one after the other; each ends with an unindented brace."""
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        if line == "}\n":
            yield json.loads("".join(lines))
            lines.clear()


def _quoted(arg: str) -> str:
    return f"'{arg}'" if any(character in arg for character in ' {}"') else arg
