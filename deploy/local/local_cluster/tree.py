"""This process and all that comes from it, in whatever session: adopts what is orphaned in it, and ends it.
Imported by the container shim too, so it stays within a few modules of the standard library."""

import contextlib
import ctypes
import os
import signal

from local_cluster import procfs

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def adopt_orphans() -> None:
    """What a dying process below leaves behind becomes our child, whatever session it put itself in."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def be_told_of_parents_death(number: signal.Signals) -> None:
    """By this signal, however the parent dies."""
    _prctl(_PR_SET_PDEATHSIG, number)


def reap() -> dict[int, int]:
    """Collects every child that has ended, pid -> status; one SIGCHLD may stand for several."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            ended[child[0]] = child[1]
    return ended


def kill() -> None:
    """SIGKILL for everything below, as far as one look at /proc sees it."""
    for pid in procfs.descendants(os.getpid(), procfs.children()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_until_gone() -> None:
    """Returns once nothing is below us. Orphans must be adopted, and SIGCHLD blocked.

    A look may miss what is forked meanwhile, and what is below a process that dies while it is taken: only when we
    have no child left, not even one that has ended, there is nothing.
    """
    while _has_children():
        kill()
        signal.sigtimedwait([signal.SIGCHLD], 0.05)
        reap()


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
