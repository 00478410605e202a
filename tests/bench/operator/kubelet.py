"""A kubelet that runs nothing: its pods run for as long as an annotation says, then succeed; deleted ones end at once.

python -m tests.bench.operator.kubelet DIRECTORY: of the cluster in that directory, in place of its node's program.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from local_cluster.controlplane import NODE, NODE_USER, ControlPlane
from local_cluster.directory import ClusterDirectory
from local_cluster.node.api import Api, ApiError, Changed, Listed, Object

SECONDS = "bench/seconds"
STOPPED = 43


class Kubelet:
    """Two writes for each pod, as a kubelet has that is in a hurry."""

    def __init__(self, api: Api, group: asyncio.TaskGroup) -> None:
        self._api, self._group = api, group
        self._deleted: dict[str, asyncio.Event] = {}

    async def run(self) -> None:
        async for change in self._api.watch("/api/v1/pods", f"spec.nodeName={NODE}"):
            pods = change.objects if isinstance(change, Listed) else [change.object]
            for pod in pods if isinstance(change, Listed | Changed) else ():
                self._look(pod)

    def _look(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._deleted:
            self._deleted[uid] = asyncio.Event()
            self._group.create_task(self._live(pod, self._deleted[uid]))
        if "deletionTimestamp" in pod["metadata"]:
            self._deleted[uid].set()

    async def _live(self, pod: Object, deleted: asyncio.Event) -> None:
        started = _now()
        try:
            await self._say(pod, "Running", {"running": {"startedAt": started}})
            try:
                await asyncio.wait_for(deleted.wait(), float(pod["metadata"]["annotations"][SECONDS]))
                code = STOPPED
            except TimeoutError:
                code = 0
            ended = {"exitCode": code, "startedAt": started, "finishedAt": _now()}
            await self._say(pod, "Failed" if code else "Succeeded", {"terminated": ended})
            await deleted.wait()
            await self._api.delete(_path(pod), {"gracePeriodSeconds": 0})
        except ApiError as error:
            if not (error.is_not_found or error.is_conflict):
                raise

    async def _say(self, pod: Object, phase: str, state: Object) -> None:
        ready = "True" if phase == "Running" else "False"
        kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
        container = pod["spec"]["containers"][0]
        status = {
            "phase": phase,
            "startTime": pod["metadata"]["creationTimestamp"],
            "conditions": [{"type": kind, "status": ready, "lastTransitionTime": _now()} for kind in kinds],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "containerID": f"bench://{pod['metadata']['uid']}",
                    "ready": phase == "Running",
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        uid = {"uid": pod["metadata"]["uid"]}
        await self._api.patch(f"{_path(pod)}/status", {"metadata": uid, "status": status})


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_api(plane: ControlPlane, user: str = NODE_USER) -> Api:
    authority = plane.authority
    return Api(plane.server, authority.certificate("ca"), authority.certificate(user), authority.key(user))


async def main(directory: Path) -> None:
    async with node_api(ClusterDirectory(directory).control_plane()) as api, asyncio.TaskGroup() as group:
        await Kubelet(api, group).run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
