"""Runs a command so that nothing of it stays: `python -m local_cluster.leash [--cost] COMMAND ...`.

However it comes to an end (by itself, by a signal to this program or to the command, by SIGKILL of whoever started
this program or of all its group): what the command has started, detached or not, ends as well. --cost tells at the end
what all of that has cost.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Sequence

from local_cluster import tree

COMMAND = (sys.executable, "-m", "local_cluster.leash")
"""To be put in front of another."""
GRACE = 20.0  # seconds to end in good order after a request
_REQUESTS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_WATCHED = {*_REQUESTS, signal.SIGCHLD}


def run(command: Sequence[str]) -> int:
    """The exit code, as a shell tells it."""
    parent, group = os.getppid(), os.getpgrp()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    tree.adopt_orphans()
    tree.be_told_of_parents_death(signal.SIGTERM)
    if group != os.getpid():  # what ends the whole group is not to end us; Ctrl-C reaches the command without our help
        os.setpgid(0, 0)
    if os.getppid() != parent:
        return 128 + signal.SIGTERM
    pid = _start(command, group, mask)
    code = _wait(pid)
    tree.kill_until_gone()
    return code


def _start(command: Sequence[str], group: int, mask: Iterable[int]) -> int:
    pid = os.fork()  # not spawned: that leaves no moment between a process of its own and its program
    if pid:
        return pid
    try:
        os.setpgid(0, group)
        tree.be_told_of_parents_death(signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvp(command[0], list(command))  # noqa: S606
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    os._exit(127)


def _wait(pid: int) -> int:
    """Until the command has ended, or has been asked to and does not."""
    deadline, request = None, None
    while True:
        received = signal.sigtimedwait(_WATCHED, 3600 if deadline is None else max(0, deadline - time.monotonic()))
        if (status := tree.reap().get(pid)) is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if received is not None and received.si_signo in _REQUESTS and deadline is None:
            deadline, request = time.monotonic() + GRACE, received.si_signo
            os.kill(pid, request)
        elif deadline is not None and request is not None and time.monotonic() >= deadline:
            return 128 + request


def cost(began: float) -> str:
    """Of all that has ended below this process."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = used.ru_utime + used.ru_stime
    return f"{total:.0f} CPU seconds ({used.ru_stime:.0f} in the kernel), {time.monotonic() - began:.0f} s by the clock"


def main(arguments: Sequence[str]) -> int:
    tells, began = arguments[:1] == ["--cost"], time.monotonic()
    code = run(arguments[tells:])
    if tells:
        print(cost(began), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
