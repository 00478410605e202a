"""When a node counts as lost, after which a person is told to delete it."""

from typing import Any, cast

import pytest

from training_operator.children import Pod
from training_operator.cluster import Cluster
from training_operator.errors import RefusedError
from training_operator.lost_nodes import lost_nodes
from unit.operator.factories import condition, job, look, open_status, pod, suspended_job, training_job

CUT_OFF = pod(conditions=(condition("Ready", "False"), condition("ContainersReady")))
LATE = pod(deleted=61, conditions=(condition("Ready"), condition("ContainersReady")))
WELL = pod(conditions=(condition("Ready"), condition("ContainersReady")))


class Nodes:
    """What the API server says of the only node: its Ready condition, that there is none, or that it is secret."""

    def __init__(self, ready: str | None) -> None:
        self._ready, self.asked = ready, 0

    async def get(self, *_: object) -> dict[str, Any] | None:
        self.asked += 1
        if self._ready == "secret":
            raise RefusedError(403, "nodes is forbidden")
        return {"status": {"conditions": [condition("Ready", self._ready)]}} if self._ready else None


@pytest.mark.parametrize("seen", [CUT_OFF, LATE], ids=["its pod looks cut off", "its pod ends too late"])
@pytest.mark.parametrize(("ready", "is_lost"), [("True", False), ("Unknown", True), ("False", True), (None, True)])
async def test_the_node_itself_decides(seen: Pod, ready: str | None, is_lost: bool) -> None:
    assert await _lost(Nodes(ready), seen) == (("node-a",) if is_lost else ())


@pytest.mark.parametrize(("seen", "is_lost"), [(CUT_OFF, True), (LATE, False)], ids=["cut off", "only late"])
@pytest.mark.parametrize("may_read", [True, False], ids=["refused", "without the right"])
async def test_where_it_may_not_be_read_a_pod_that_is_only_late_proves_nothing(
    may_read: bool, seen: Pod, is_lost: bool
) -> None:
    assert await _lost(Nodes("secret"), seen, may_read) == (("node-a",) if is_lost else ())


async def test_nobody_is_asked_while_all_is_well() -> None:
    nodes = Nodes("Unknown")
    assert await _lost(nodes, WELL) == ()
    assert nodes.asked == 0


async def _lost(nodes: Nodes, seen: Pod, may_read: bool = True) -> tuple[str, ...]:
    child = suspended_job() if seen.is_being_deleted else job()
    observed = look(training_job(open_status()), child, seen)
    return await lost_nodes(cast(Cluster, nodes), observed, may_read)
