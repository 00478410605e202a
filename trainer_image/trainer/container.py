"""What the container around this process may use of memory, has used, and was punished for: its cgroup says it."""

from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_V2 = ("memory.max", "memory.peak", "memory.events")
_V1 = ("memory/memory.limit_in_bytes", "memory/memory.max_usage_in_bytes", "memory/memory.oom_control")
_V2_USE = ("memory.max", "memory.current", "inactive_file")
_V1_USE = ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file")
_NO_LIMIT = 2**60  # v1 says a huge number in place of "max"


@dataclass(frozen=True)
class ContainerMemory:
    """In bytes."""

    limit: int | None = None
    """None: none of its own, or nobody knows."""
    peak: int | None = None
    kills: int = 0
    """How many of its processes the kernel has killed for memory."""

    def __str__(self) -> str:
        named = (("limit", self.limit), ("peak", self.peak))
        return ", ".join(f"{name} {in_words(size)}" for name, size in named if size is not None)


def container_memory(root: Path = _ROOT) -> ContainerMemory:
    """As of now; cgroup v2 or v1."""
    for limit, peak, events in (_V2, _V1):
        if (root / events).exists():
            kills = dict(line.split() for line in _read(root / events).splitlines()).get("oom_kill")
            return ContainerMemory(_number(_read(root / limit)), _number(_read(root / peak)), int(kills or 0))
    return ContainerMemory()


def available_memory(root: Path = _ROOT, machine: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that may still be taken, files that the kernel can forget included; None: nobody knows."""
    free = [_machine_free(machine)]
    for limit, usage, files in (_V2_USE, _V1_USE):
        top, used = _number(_read(root / limit)), _number(_read(root / usage))
        if top is not None and used is not None:
            stat = dict(line.split() for line in _read((root / usage).parent / "memory.stat").splitlines())
            free.append(top - used + int(stat.get(files, 0)))
    known = [each for each in free if each is not None]
    return min(known) if known else None


def _machine_free(file: Path) -> int | None:
    found = [line.split() for line in _read(file).splitlines() if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None


def in_words(size: int) -> str:
    """512 MiB, 1.5 GiB."""
    if size < 1024**3:
        return f"{size / 1024**2:.0f} MiB"
    return f"{size / 1024**3:.1f} GiB"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # an older kernel has no peak
        return ""


def _number(text: str) -> int | None:
    number = int(text) if text.strip().isdigit() else _NO_LIMIT
    return number if number < _NO_LIMIT else None
