"""Which nodes of an attempt are lost: their pods look cut off, and the node itself, where it may be read, agrees."""

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
    suspects = observed.suspect_nodes
    if not may_read_nodes:
        return suspects
    return tuple([name for name in suspects if not await _is_ready(cluster, name)])


async def _is_ready(cluster: Cluster, name: str) -> bool:
    try:
        raw = await cluster.get("nodes", None, name)
    except RefusedError:
        return False  # not to be known: the pods' word counts
    return raw is not None and _Node.model_validate(raw).is_ready
