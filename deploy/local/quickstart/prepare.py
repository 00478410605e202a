"""What `make prepared` runs: makes the Python environment and builds the control plane, both at the same time.

It runs before there is an environment, and needs Python alone.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local_cluster import binaries, build, leash
from local_cluster.estimate import Estimate

ROOT = Path(__file__).parents[3]
MEANWHILE = (
    "The environment is ready, the control plane is still being built. The same digits can be trained without it, in "
    "another terminal:\n  .venv/bin/trainer --config deploy/examples/digits.yaml"
)
_LOOKS = 0.2  # seconds between them
_LINES = 15.0  # seconds between them where there is no terminal
_SIZE = re.compile(r"Downloading (\S+) \(([\d.]+)([KMG])iB\)")
_MEBIBYTES = {"K": 1 / 1024, "M": 1.0, "G": 1024.0}


class Work:
    """Something that is done in the background and tells how far it is."""

    def __init__(self, name: str, do: Callable[[build.Report], object]) -> None:
        self._name, self._do, self._state = name, do, "begins"
        self.problem: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._do(self._tell)
            self._state = "ready"
        except Exception as error:  # whatever it is, the other one is not to go on alone
            self.problem = error

    def _tell(self, state: str) -> None:
        self._state = state

    def is_done(self, patience: float = 0.0) -> bool:
        self._thread.join(patience)
        return not self._thread.is_alive()

    def __str__(self) -> str:
        return f"{self._name}: {self._state}"


class Downloads:
    """What uv says while it makes an environment, in fewer words."""

    def __init__(self) -> None:
        self._sizes: dict[str, float] = {}
        self._done = 0.0
        self._clock = Estimate()

    def state(self, line: str) -> str:
        if announced := _SIZE.match(line):
            self._sizes[announced[1]] = float(announced[2]) * _MEBIBYTES[announced[3]]
        elif line.startswith("Downloaded "):
            self._done += self._sizes.get(line.split()[1], 0.0)
        elif line.startswith("Installed "):
            return "compiling bytecode, a minute or two"
        else:
            return line
        total = sum(self._sizes.values())
        return f"downloaded {self._done:.0f} of {total:.0f} MiB{self._clock.left(self._done / total)}"


def make_environment(tell: build.Report) -> None:
    """RuntimeError with make's last words if that fails."""
    said, downloads = [], Downloads()
    command = [*leash.COMMAND, "make", "--no-print-directory", "environment"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            tell(downloads.state(line.strip()))
    if process.returncode:
        raise RuntimeError("".join(said[-20:]))


class Screen:
    """On a terminal lines that change; elsewhere lines every fifteen seconds."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._shown = 0
        self._next = time.monotonic() + (0 if self._is_terminal else _LINES)

    def show(self, lines: Sequence[str]) -> None:
        if time.monotonic() < self._next:
            return
        self.clear()
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1 if self._is_terminal else None
        print(*(line[:width] for line in lines), sep="\n", file=sys.stderr, flush=True)
        self._shown = len(lines)
        self._next = time.monotonic() + (0 if self._is_terminal else _LINES)

    def clear(self) -> None:
        if self._is_terminal and self._shown:
            print(f"\x1b[{self._shown}F\x1b[J", end="", file=sys.stderr, flush=True)
        self._shown = 0

    def say(self, text: str) -> None:
        self.clear()
        print(text, file=sys.stderr, flush=True)


def follow(environment: Work, control_plane: Work, screen: Screen) -> int:
    """Shows both until they are done; a problem of one is the end of both. The exit code."""
    works, has_offered = (environment, control_plane), False
    while not all(work.is_done() for work in works):
        if any(work.problem for work in works):
            break
        if environment.is_done() and not has_offered:
            has_offered = True
            screen.say(MEANWHILE)
        screen.show([str(work) for work in works])
        next(work for work in works if not work.is_done()).is_done(_LOOKS)
    screen.clear()
    for work in works:
        if work.problem:
            screen.say(f"{work}\n{work.problem}")
    return int(any(work.problem for work in works))


def main() -> int:
    os.chdir(ROOT)
    try:
        if (
            binaries.to_build() and not build.has_go()
        ):  # small beside the rest of the environment, and the longer work waits for it
            subprocess.run([*leash.COMMAND, "make", "--no-print-directory", "go"], check=True)
        return follow(Work("environment", make_environment), Work("control plane", binaries.find), Screen())
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
