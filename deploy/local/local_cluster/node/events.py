"""Events about pods, so that `kubectl describe` says why one does not start. Only warnings: what goes well shows
in the pod's status, and each event costs the API server a write."""

import asyncio
import contextlib
import uuid

from local_cluster.node.api import Api, ApiError
from local_cluster.node.models import Pod
from local_cluster.node.status import timestamp


class Events:
    def __init__(self, api: Api, node: str) -> None:
        self._api = api
        self._node = node
        self._told: dict[str, str] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def warn(self, pod: Pod, reason: str, message: str) -> None:
        """Tell, unless it is what was told about this pod before."""
        if self._told.get(pod.uid) == message:
            return
        self._told[pod.uid] = message
        task = asyncio.get_running_loop().create_task(self._send(pod, reason, message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def forget(self, uid: str) -> None:
        self._told.pop(uid, None)

    async def _send(self, pod: Pod, reason: str, message: str) -> None:
        now = timestamp()
        about = {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
        event = {
            "metadata": {"name": f"{pod.name}.{uuid.uuid4().hex[:16]}", "namespace": pod.namespace},
            "involvedObject": about,
            "reason": reason,
            "message": message[:1024],
            "type": "Warning",
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        with contextlib.suppress(ApiError):  # the namespace may be on its way out
            await self._api.post(f"/api/v1/namespaces/{pod.namespace}/events", event)
