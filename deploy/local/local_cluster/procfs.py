"""What /proc tells about processes: whether a pid is still the same process, its descendants, its memory.
Imported by the container shim too, so it stays within a few modules of the standard library."""

import contextlib
import os
from collections.abc import Iterator

_PAGE = os.sysconf("SC_PAGE_SIZE")


def start_time(pid: int) -> int | None:
    """Clock ticks since boot at which the process started; None when it is gone or a zombie.

    Together with the pid this identifies a process: a reused pid has another start time.
    """
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def children() -> dict[int, list[int]]:
    """Every living process of the machine under its parent's pid: one look at all of /proc, some milliseconds."""
    found: dict[int, list[int]] = {}
    for candidate in _pids():
        fields = _stat(candidate)
        if fields and fields[0] not in "ZX":
            found.setdefault(int(fields[1]), []).append(candidate)
    return found


def descendants(pid: int, children: dict[int, list[int]]) -> list[int]:
    """Pids of a process' children, their children and so on; parents come before their children."""
    found = list(children.get(pid, []))
    for parent in found:  # grows while it is walked
        found.extend(children.get(parent, []))
    return found


def anonymous_memory(pid: int) -> int:
    """Bytes of anonymous memory, counting pages shared after a fork in full: cheap, never too low."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as file:
        _, resident, shared, *_ = file.read().split()
        return (int(resident) - int(shared)) * _PAGE
    return 0


def proportional_memory(pid: int) -> int:
    """Bytes of anonymous memory with shared pages split among their users: exact, a few milliseconds."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return anonymous_memory(pid)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may hold any character."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()
    return []


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())
