"""What all pods of the node share: its API access, its settings, its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cluster.node.addresses import Addresses
from local_cluster.node.api import Api
from local_cluster.node.devices import Gpus
from local_cluster.node.events import Events
from local_cluster.node.faults import Faults
from local_cluster.node.images import ImageTable
from local_cluster.node.memory import MemoryWatch

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Context:
    api: Api
    events: Events
    server: tuple[str, int]
    """Host and port of the API server, as pods are told."""
    pods: Path
    """A folder for each pod, named by its UID."""
    allocatable: Mapping[str, str]
    images: ImageTable
    addresses: Addresses
    gpus: Gpus
    faults: Faults
    memory: MemoryWatch
