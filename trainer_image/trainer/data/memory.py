"""How much memory a rank may use."""

import os
from collections.abc import Mapping
from pathlib import Path


def memory_of_a_rank(
    environment: Mapping[str, str] = os.environ, path: Path = Path("/sys/fs/cgroup/memory.max")
) -> int:
    """Bytes: the pod's limit or the machine's memory, shared by the ranks of the pod."""
    try:
        limit = int(path.read_text())
    except (OSError, ValueError):  # no cgroup v2, or "max"
        limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return limit // int(environment.get("LOCAL_WORLD_SIZE") or 1)
