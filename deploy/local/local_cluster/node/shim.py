"""Runs one container: starts its command, passes on SIGTERM, and reports its end only once nothing of it is left.
It outlives the node program, and imports next to nothing, because there is one beside every container."""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from typing import Any

from local_cluster import tree

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
    tree.adopt_orphans()
    end = _run(spec)
    tree.kill_until_gone()  # as the kernel does when the first process of a container ends
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
                for pid, status in tree.reap().items():
                    if pid == main_pid:
                        code = os.waitstatus_to_exitcode(status)
                        return code if code >= 0 else 128 - code
            case _:
                tree.kill()


def _write_end(path: str, end: dict[str, Any]) -> None:
    with open(f"{path}.tmp", "w") as file:
        json.dump(end, file)
    os.replace(f"{path}.tmp", path)


if __name__ == "__main__":
    main(sys.argv[1])
