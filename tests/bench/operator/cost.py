"""What processes have cost, and what they have written."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


@dataclass(frozen=True)
class Writes:
    """Of one user in one namespace, from the API server's audit log."""

    log: Path
    namespace: str
    user: str = "system:serviceaccount:trainingjob-system:trainingjob-operator"

    def __call__(self) -> Counter[str]:
        """Such as `create jobs`, `update trainingjobs/status`; how often."""
        counts = Counter[str]()
        for line in self.log.read_text().splitlines():
            entry = json.loads(line)
            target = entry.get("objectRef", {})
            if entry["user"]["username"] == self.user and target.get("namespace") == self.namespace:
                sub = f"/{target['subresource']}" if target.get("subresource") else ""
                counts[f"{entry['verb']} {target['resource']}{sub}"] += 1
        reads = [what for what in counts if what.split()[0] in ("get", "list", "watch")]
        for what in reads:
            del counts[what]
        return counts


def without_events(counts: Counter[str]) -> int:
    return sum(count for what, count in counts.items() if not what.endswith(" events"))
