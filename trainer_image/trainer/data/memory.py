"""How much memory a rank may use."""

import os
from collections.abc import Mapping

from trainer.container import ContainerMemory, container_memory


def memory_of_a_rank(environment: Mapping[str, str] = os.environ, container: ContainerMemory | None = None) -> int:
    """Bytes: the pod's limit or the machine's memory, shared by the ranks of the pod."""
    limit = (container or container_memory()).limit or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return limit // int(environment.get("LOCAL_WORLD_SIZE") or 1)
