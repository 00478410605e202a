"""What the kernel says of this process's memory."""

import re
from pathlib import Path


def megabytes(field: str) -> float:
    """VmRSS: in use now. VmHWM: the most since this program began; not ru_maxrss, which begins at its parent's peak."""
    match = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) / 1024
