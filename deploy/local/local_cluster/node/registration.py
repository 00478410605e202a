"""The node as an object: registered once, then kept alive by renewing a lease. Its whole status is written again
only when it changed, or when the controllers came to believe that the node is lost."""

import asyncio
import contextlib
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from local_cluster.node.api import Api, ApiError, Object
from local_cluster.node.devices import GPU
from local_cluster.node.status import timestamp

_MAX_PODS = 110


def find_capacity(gpus: int, overrides: Mapping[str, str]) -> dict[str, str]:
    """What the node offers: the machine's cores and memory, unless told otherwise."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory // 1024}Ki", "pods": str(_MAX_PODS)}
    # Zero GPUs are said, too: the status is a patch, and a number from before would stay.
    return {**found, "ephemeral-storage": "100Gi", GPU: str(gpus), **overrides}


class _DeletedError(Exception):
    """The node's object is gone."""


@dataclass(frozen=True)
class Registration:
    api: Api
    name: str
    host: str
    port: int
    capacity: Mapping[str, str]
    heartbeat: float
    """Seconds between renewals of the lease."""
    lease_seconds: int
    takes_pods: bool = True
    registered: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Register, then stay alive, for ever; also when somebody deletes the node's object."""
        while True:
            await self._register()
            self.registered.set()
            with contextlib.suppress(_DeletedError):
                await self._stay_alive()

    async def _register(self) -> None:
        """Create the node, or take over the one of an earlier run."""
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        labels = {
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": architecture,
        }
        node = {"metadata": {"name": self.name, "labels": labels}, "spec": {"unschedulable": not self.takes_pods}}
        try:
            await self.api.post("/api/v1/nodes", node)
        except ApiError as error:
            if not error.is_conflict:
                raise
        await self.write_status()

    async def write_status(self, ready: bool = True, reason: str = "KubeletReady", message: str = "") -> None:
        status = {"status": self._status(ready, reason, message or "the local node runs pods as processes")}
        await self.api.patch(f"{self._path}/status", status)

    async def _stay_alive(self) -> None:
        while True:
            await self._renew_lease()
            if not await self._is_believed_ready():
                await self.write_status()
            await asyncio.sleep(self.heartbeat)

    @property
    def _path(self) -> str:
        return f"/api/v1/nodes/{self.name}"

    def _status(self, ready: bool, reason: str, message: str) -> Object:
        conditions = [
            _condition(kind, False, "KubeletHasSufficientResources", "not watched here")
            for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
        ]
        conditions.append(_condition("Ready", ready, reason, message))
        return {
            "capacity": dict(self.capacity),
            "allocatable": dict(self.capacity),
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": self.host}, {"type": "Hostname", "address": self.name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
            "nodeInfo": _node_info(),
        }

    async def _renew_lease(self) -> None:
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 10**6:06d}Z"
        spec = {"holderIdentity": self.name, "leaseDurationSeconds": self.lease_seconds, "renewTime": now}
        try:
            await self.api.patch(f"{path}/{self.name}", {"spec": spec}, "application/merge-patch+json")
        except ApiError as error:
            if not error.is_not_found:
                raise
            await self.api.post(path, {"metadata": {"name": self.name}, "spec": spec})

    async def _is_believed_ready(self) -> bool:
        """After a silence the controllers set Unknown, which only a new status takes back."""
        try:
            node = await self.api.get(f"{self._path}?resourceVersion=0")
        except ApiError as error:
            raise _DeletedError from error
        conditions = node.get("status", {}).get("conditions", ())
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _condition(kind: str, holds: bool, reason: str, message: str) -> Object:
    times = dict.fromkeys(("lastHeartbeatTime", "lastTransitionTime"), timestamp())
    return {"type": kind, "status": str(holds), "reason": reason, "message": message, **times}


def _node_info() -> Object:
    return {
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
        "kernelVersion": platform.release(),
        "osImage": "this machine",
        "containerRuntimeVersion": "processes://1",
        "kubeletVersion": "v1.36.3",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": platform.machine(),
    }
