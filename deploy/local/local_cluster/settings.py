"""What can be chosen about a cluster. Written into its directory, so that the next start finds the same."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """How fast a silent node is noticed, in seconds. The defaults are Kubernetes' own."""

    heartbeat: float = 10.0
    lost_after: float = 50.0
    """The controller manager calls a node lost after this long without a heartbeat."""
    evict_after: int = 300
    """Pods of a lost node are deleted after this long (their default toleration)."""


FAST = Timing(heartbeat=1.0, lost_after=5.0, evict_after=2)
"""For tests: a frozen node is noticed within about six seconds."""


@dataclass(frozen=True)
class Settings:
    """Everything about a cluster that is not derived from its directory."""

    timing: Timing = field(default_factory=Timing)
    gpus: int | None = None
    """GPUs that the node offers; None: those that nvidia-smi finds."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """Resources that the node offers, over what it finds, such as {"cpu": "16"}."""
    witness: bool = False
    """Add a second node that takes no pods and only sends heartbeats. With all nodes silent the controllers suspect
    themselves and evict nothing; with a witness they evict the pods of a frozen node."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Image name -> command that takes the place of its entrypoint, over the default table."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        values = json.loads(text)
        return cls(**{**values, "timing": Timing(**values["timing"])})


def default_directory() -> Path:
    """Where a user's cluster lives: it holds volumes, so with the data, not in a cache that is wiped."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "trainingjob" / "local-cluster"


def cache_directory() -> Path:
    """Where the binaries are kept: they can be built again."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "trainingjob" / "bin"
