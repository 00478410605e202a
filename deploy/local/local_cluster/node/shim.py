"""Runs one container: starts its command, passes on SIGTERM, and reports its end only once nothing of it is left.
It outlives the node program, and imports next to nothing, because there is one beside every container."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import time
from typing import Any

from local_cluster import procfs

_PR_SET_CHILD_SUBREAPER = 36
KILL = signal.SIGUSR1
"""Asks for SIGKILL of everything in the container."""
BLOCKED = (signal.SIGCHLD, signal.SIGTERM, KILL)
"""The shim is started with these blocked and takes them one by one, so none can come too early."""
_NICENESS = 5
"""Pods yield to the control plane, the operator and whatever else a person does with this machine."""
_CANNOT_START = 128  # the code that container runtimes report


def main(spec_path: str) -> None:
    with open(spec_path) as file:
        spec: dict[str, Any] = json.load(file)
    # What a dying process leaves behind becomes our child, whatever session it put itself in.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    end = _run(spec)
    _kill_descendants()
    _write_end(spec["exit"], {**end, "finished": time.time()})


def _run(spec: dict[str, Any]) -> dict[str, Any]:
    try:
        os.chdir(spec["directory"])
        os.nice(_NICENESS)
        pid = _spawn(spec["command"], spec["environment"])
    except OSError as error:
        message = f"failed to start {spec['command'][:1]}: {error.strerror or error}"
        return {"code": _CANNOT_START, "reason": "StartError", "message": message}
    return {"code": _wait(pid), "reason": "", "message": ""}


def _spawn(command: list[str], environment: dict[str, str]) -> int:
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        raise FileNotFoundError(2, f'exec: "{command[0]}": executable file not found in $PATH')
    return os.posix_spawn(program, command, environment, setsid=True, setsigmask=[], setsigdef=BLOCKED)


def _wait(main_pid: int) -> int:
    """The main process' exit code, 128 + signal when one killed it."""
    while True:
        match signal.sigwait(BLOCKED):
            case signal.SIGTERM:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(main_pid, signal.SIGTERM)
            case signal.SIGCHLD:
                for pid, status in _reaped():
                    if pid == main_pid:
                        code = os.waitstatus_to_exitcode(status)
                        return code if code >= 0 else 128 - code
            case _:
                _kill_all()


def _reaped() -> list[tuple[int, int]]:
    """One SIGCHLD may stand for several ended children."""
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(child)
    return ended


def _kill_descendants() -> None:
    """As the kernel does when the first process of a container ends. Repeats, for the ones forked meanwhile."""
    while _kill_all():
        signal.sigtimedwait([signal.SIGCHLD], 0.05)
        _reaped()
    _reaped()


def _kill_all() -> int:
    pids = procfs.descendants(os.getpid(), procfs.children())
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


def _write_end(path: str, end: dict[str, Any]) -> None:
    with open(f"{path}.tmp", "w") as file:
        json.dump(end, file)
    os.replace(f"{path}.tmp", path)


if __name__ == "__main__":
    main(sys.argv[1])
