"""What tests do to a running node, through its server. Pods and the API server never learn that it is a test."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local_cluster.rest import Endpoint


@dataclass(frozen=True)
class Hold:
    """Pods that are kept from starting, until `release()`."""

    release: Callable[[], None]


class NodeFaults:
    """Faults of a node whose server is at `node_endpoint`. A node that is started anew has forgotten them."""

    @property
    def node_endpoint(self) -> Endpoint:
        raise NotImplementedError

    def pod_processes(self, namespace: str, pod: str) -> list[int]:
        """Pids of all processes of a pod; parents before their children, a container's main process first."""
        return [int(pid) for pid in self.node_endpoint.get(f"/pids/{namespace}/{pod}")["pids"]]

    def kill_pod_tree(self, namespace: str, pod: str) -> None:
        """SIGKILL for every process of a pod, as when its machine runs out of memory."""
        self._fault("kill", namespace=namespace, name=pod)

    def freeze_node(self) -> None:
        """Cut the node off: no heartbeats, no status, nothing heard of deletions. Its pods go on running."""
        self._fault("freeze")

    def thaw_node(self) -> None:
        self._fault("thaw")

    @contextlib.contextmanager
    def frozen_node(self) -> Iterator[None]:
        """A lost node that always comes back, also when the test fails."""
        self.freeze_node()
        try:
            yield
        finally:
            self.thaw_node()

    def delay_start(self, seconds: float) -> None:
        """From now on every pod starts its processes so much later; 0 ends it."""
        self._fault("delay", seconds=seconds)

    def hold_pod(self, namespace: str, name: str) -> Hold:
        """Keep a pod's processes from starting until released. The name may be a pattern, such as `job-1-*`."""
        self._fault("hold", namespace=namespace, name=name)
        return Hold(lambda: self._fault("release", namespace=namespace, name=name))

    def _fault(self, fault: str, /, **body: str | float) -> None:
        self.node_endpoint.post(f"/faults/{fault}", dict(body))
