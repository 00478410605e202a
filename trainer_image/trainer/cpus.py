"""How many CPUs this process may keep busy: those it may run on, or the quota of its cgroup where that is less."""

import os
from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path

_ROOT, _MEMBERSHIPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_V1_FOLDERS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")


def threads_for(local_world_size: int, environment: Mapping[str, str]) -> int:
    """Threads for each of the ranks of a pod: what OMP_NUM_THREADS says, or an equal share of the pod's CPUs."""
    given = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # further numbers are for nested regions
    if given.isdigit() and int(given) > 0:
        return int(given)
    return cpus_of_rank(local_world_size)


def cpus_of_rank(local_world_size: int) -> int:
    """A rank's share of what its pod may use; at least 1."""
    return max(1, available_cpus() // local_world_size)


def available_cpus(root: Path = _ROOT, memberships: Path = _MEMBERSHIPS) -> int:
    """A machine of 64 CPUs shows all of them to a container that may use 4; part of a CPU counts as a whole one.

    root: where cgroups are mounted; memberships: which of them this process is in. v2 and v1.
    """
    quotas = [quota for folder in _folders(root, memberships) if (quota := _quota(folder)) is not None]
    return min([len(os.sched_getaffinity(0)), *(max(1, ceil(quota)) for quota in quotas)])


def _folders(root: Path, memberships: Path) -> Iterator[Path]:
    """The process's own cgroup and all above it: each may have a limit. In a container its own is often the root."""
    for line in _read(memberships).splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        own = Path(name.lstrip("/"))
        for top in [root / each for each in _V1_FOLDERS] if controllers else [root, root / "unified"]:
            yield from (top / each for each in (own, *own.parents))


def _quota(folder: Path) -> float | None:
    """CPUs; None: no limit here, or no such folder."""
    words = _read(folder / "cpu.max").split()
    if not words:
        words = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        quota, period = map(int, words)
        return quota / period if quota > 0 else None
    except (ValueError, ZeroDivisionError):  # "max", or nothing at all
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
