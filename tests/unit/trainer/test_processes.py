"""Processes of Linux, as they really are."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.pod.processes import descendants, start


@pytest.mark.parametrize("name", [b"12345678901234\xd0\xbe", b"a) Z 1 (b", b"(sd-pam)"])
def test_no_name_hides_anybody(name: bytes) -> None:
    """The kernel keeps 15 bytes of a name: a long one may end within a letter."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        Path("/proc/self/comm").write_bytes(name)
        os.write(writing, b"named")
        signal.pause()
    try:
        assert os.read(reading, 5) == b"named"
        assert name[:15] in Path(f"/proc/{child}/stat").read_bytes()
        assert child in descendants(os.getpid())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_a_grandchild_is_found_and_a_zombie_is_not() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if grandchild := os.fork():
            if not (zombie := os.fork()):
                os._exit(0)
            os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
            os.write(writing, f"{grandchild} {zombie}".encode())
        signal.pause()
    grandchild, zombie = map(int, os.read(reading, 100).split())
    try:
        found = descendants(os.getpid())
        assert {child, grandchild} <= set(found)
        assert zombie not in found
    finally:
        for pid in (grandchild, child):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_a_process_has_a_session_of_its_own() -> None:
    pid = start(["/bin/sleep", "600"], {})
    try:
        assert os.getsid(pid) == pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_look_that_misses_a_process_is_not_the_last() -> None:
    """As what is below a process that dies while all of them are looked at."""
    script = """
import signal, subprocess
from trainer.pod import processes

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
look, nothing = processes.descendants, [[]]
processes.descendants = lambda root: nothing.pop() if nothing else look(root)
child = subprocess.Popen(["sleep", "600"])
processes.kill_descendants(timeout=600)
print(processes.is_stuck(child.pid), look(processes.os.getpid()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False []\n"
