"""A command on a leash: whatever ends it, nothing of what it has started stays."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from local_cluster import procfs
from support.waiting import PATIENCE, wait_for

LEASH = [sys.executable, "-m", "local_cluster.leash"]
DETACHED = "setsid sh -c 'echo $$; exec sleep 600' & (sh -c 'echo $$; exec sleep 600' &)"
"""Two processes that tell their pids: one in a session of its own, one whose parent ends at once."""


class Family:
    """A stand-in for make, which waits for a leash, its command and what that has started."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout is not None
        self.command, self.leash, *self._detached = (int(process.stdout.readline()) for _ in range(4))
        everybody = [self.command, self.leash, *self._detached]
        self._began = {pid: procfs.start_time(pid) for pid in everybody}

    def living(self) -> list[int]:
        return [pid for pid, began in self._began.items() if began and procfs.start_time(pid) == began]


@contextmanager
def family(command: str) -> Iterator[Family]:
    """The command runs once all of them are there."""
    text = f"echo $$; echo $PPID; {DETACHED}; read go; {command}"
    make = ["sh", "-c", '"$@"; exit $?', "make", *LEASH, "sh", "-c", text]
    pipe = subprocess.PIPE
    with subprocess.Popen(make, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:
        found = Family(process)
        try:
            assert len(found.living()) == 4
            assert process.stdin is not None
            print(file=process.stdin, flush=True)
            yield found
        finally:
            process.kill()
            for pid in found.living():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("true", 0)])
def test_it_ends_with_the_command_and_its_exit_code(command: str, code: int) -> None:
    with family(command) as found:
        assert found.process.wait(PATIENCE) == code
        assert found.living() == []


LASTING = "trap 'exit 3' TERM INT; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM INT HUP; while :; do sleep 0.05; done"


@pytest.mark.parametrize(
    ("number", "whom"),
    [
        pytest.param(signal.SIGKILL, lambda family: family.process.pid, id="whoever started it is killed"),
        pytest.param(signal.SIGKILL, lambda family: -family.process.pid, id="the whole group is killed"),
        pytest.param(signal.SIGTERM, lambda family: -family.process.pid, id="the whole group is terminated"),
        pytest.param(signal.SIGINT, lambda family: -family.process.pid, id="Ctrl-C"),
        pytest.param(signal.SIGHUP, lambda family: -family.process.pid, id="the terminal is closed"),
        pytest.param(signal.SIGTERM, lambda family: family.leash, id="it is terminated itself"),
        pytest.param(signal.SIGKILL, lambda family: family.command, id="the command is killed"),
    ],
)
def test_whatever_ends_it_nothing_stays(number: signal.Signals, whom: Callable[[Family], int]) -> None:
    with family(LASTING) as found:
        os.kill(whom(found), number)
        wait_for(lambda: not found.living(), "the end of all that was started")


def test_a_look_that_misses_a_process_is_not_the_last() -> None:
    """As what is below a process that dies meanwhile."""
    script = """
import signal, subprocess
from local_cluster import procfs, tree

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
look, nothing = procfs.children, [{}]
procfs.children = lambda: nothing.pop() if nothing else look()
child = subprocess.Popen(["sleep", "600"])
tree.kill_until_gone()
print(procfs.start_time(child.pid))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_a_command_that_does_not_end_when_asked_is_killed_after_the_grace() -> None:
    script = "import sys; from local_cluster import leash; leash.GRACE = 0.2; sys.exit(leash.main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "sh", "-c", f"{DETACHED}; echo ready; {STUBBORN}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            pass
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


def test_what_it_has_cost_is_told_although_it_fails(tmp_path: Path) -> None:
    """With what was detached."""
    busy = "import time\nwhile time.process_time() < 1.5: pass\nprint('done')"
    (tmp_path / "busy.py").write_text(busy)
    script = f"(setsid {sys.executable} busy.py >said &); until [ -s said ]; do sleep 0.05; done; false"
    done = subprocess.run([*LEASH, "--cost", "sh", "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    told = re.fullmatch(r"(\d+) CPU seconds \(\d+ in the kernel\), \d+ s by the clock\n", done.stderr)
    assert told, done.stderr
    assert int(told[1]) >= 1


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    done = subprocess.run([*LEASH, str(tmp_path / "nothing")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, f"{tmp_path}/nothing: No such file or directory\n")
