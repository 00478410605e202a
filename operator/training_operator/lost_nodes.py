"""Which nodes of an attempt are lost: their pods make it look so, and the node itself, where it may be read, agrees."""

from training_operator.children import Condition, true_condition
from training_operator.cluster import Cluster
from training_operator.errors import RefusedError
from training_operator.observe import Observed
from trainingjob_api.base import Report


class _NodeStatus(Report):
    conditions: tuple[Condition, ...] = ()


class _Node(Report):
    status: _NodeStatus = _NodeStatus()

    @property
    def is_ready(self) -> bool:
        return true_condition(self.status.conditions, "Ready") is not None


async def lost_nodes(cluster: Cluster, observed: Observed, may_read_nodes: bool) -> tuple[str, ...]:
    """Names of lost nodes; none in the usual case, at no cost."""
    return tuple([name for name in observed.suspect_nodes if await _is_lost(cluster, observed, name, may_read_nodes)])


async def _is_lost(cluster: Cluster, observed: Observed, name: str, may_read_nodes: bool) -> bool:
    """Where the node is not to be known, pods that look cut off count; one that merely ends late may be slow."""
    try:
        return not await _is_ready(cluster, name) if may_read_nodes else name in observed.cut_off_nodes
    except RefusedError:
        return name in observed.cut_off_nodes


async def _is_ready(cluster: Cluster, name: str) -> bool:
    raw = await cluster.get("nodes", None, name)
    return raw is not None and _Node.model_validate(raw).is_ready
