"""Processes of Linux: start one, find a whole tree, end it. Nothing here knows what they are for."""

import ctypes
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Grandchildren whose parent dies become ours, as they do for PID 1: nothing escapes."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """The kernel kills this process when its parent dies, however that happens."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command: list[str], environment: Mapping[str, str]) -> int:
    """Starts a process in a session of its own (a terminal's Ctrl-C must reach only us); returns its PID."""
    return os.posix_spawn(command[0], command, environment, setsid=True)


def reap() -> dict[int, int]:
    """Collects every child that has ended: PID -> exit code, negative for a signal. Does not wait."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def descendants(root: int) -> list[int]:
    """Everything below a process, zombies left out."""
    children: dict[int, list[int]] = {}
    for pid, parent in _living():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    frontier = [root]
    while frontier:
        below = [child for parent in frontier for child in children.get(parent, [])]
        found += below
        frontier = below
    return found


def send(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_descendants(timeout: float = 5.0) -> None:
    """Kills and collects everything below us; gives up on what the kernel does not let go (a dead NFS server).

    One look at /proc may miss what is below a process that dies meanwhile, until it becomes our child.
    """
    deadline = time.monotonic() + timeout
    reap()
    while _has_children() and time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            send(pid, signal.SIGKILL)
        signal.sigtimedwait([signal.SIGCHLD], 0.02)
        reap()


def is_stuck(pid: int) -> bool:
    """Stopped by a signal, or in the kernel, waiting for a disk or a server."""
    stat = _stat(pid)
    return stat is not None and stat[0] in "TtD"


def _has_children() -> bool:
    """Without any, nothing can be below us: to look for it takes a walk over all processes of the machine."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _living() -> list[tuple[int, int]]:
    """(PID, parent's PID) of every process that is not a zombie."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    stats = [(pid, _stat(pid)) for pid in pids]
    return [(pid, stat[1]) for pid, stat in stats if stat and stat[0] != "Z"]


def _stat(pid: int) -> tuple[str, int] | None:
    """(state, parent's PID), or None if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")  # a long name may be cut within a letter
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = text.rpartition(")")[2].split()[:2]  # the name in parentheses may hold anything
    return state, int(parent)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")
