"""The node's heart: follows the pods that are bound to it and has one worker for each that is to run."""

import asyncio
import contextlib
import json
import logging
import shutil
from collections.abc import Iterable

from local_cluster import procfs
from local_cluster.node import parsing
from local_cluster.node.addresses import PodName
from local_cluster.node.api import Changed, Deleted, Listed, Object
from local_cluster.node.context import Context
from local_cluster.node.faults import Faults
from local_cluster.node.instance import Instance
from local_cluster.node.models import Pod
from local_cluster.node.registration import Registration
from local_cluster.node.runs import ContainerRuns, all_instances
from local_cluster.node.status import Verdict
from local_cluster.node.worker import PodWorker

log = logging.getLogger(__name__)

_SHUTDOWN = Verdict("TerminationByKubelet", "Pod was terminated in response to imminent node shutdown.", True)


class Agent:
    def __init__(self, context: Context, registration: Registration) -> None:
        self._context = context
        self._registration = registration
        self._workers: dict[str, PodWorker] = {}
        self._pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_shutting_down = False
        self.is_synced = False
        """Whether it is registered and has seen all its pods."""

    @property
    def faults(self) -> Faults:
        return self._context.faults

    async def run(self) -> None:
        """Follow the pods of this node, for ever."""
        await self._registration.registered.wait()
        self._restore()
        selector = f"spec.nodeName={self._registration.name}"
        async for change in self._context.api.watch("/api/v1/pods", selector):
            match change:
                case Listed(objects):
                    self._see_all(objects)
                    self.is_synced = True
                case Changed(one):
                    self._see(one)
                case Deleted(one):
                    self._forget(one["metadata"]["uid"])

    def _see_all(self, objects: Iterable[Object]) -> None:
        objects = tuple(objects)
        living = {one["metadata"]["uid"] for one in objects}
        on_disk = {folder.name for folder in self._context.pods.iterdir()}
        for uid in (self._pods.keys() | on_disk) - living:
            self._forget(uid)
        for one in objects:
            self._see(one)

    def _see(self, one: Object) -> None:
        try:
            pod = parsing.pod(one)
        except (KeyError, TypeError, ValueError):  # one pod that is written oddly must not end the others
            log.exception("cannot read pod %s/%s", one["metadata"]["namespace"], one["metadata"]["name"])
            return
        self._pods[pod.uid] = pod
        if pod.uid in self._workers:
            self._workers[pod.uid].update(pod)
        elif not pod.is_finished and not self._is_shutting_down:
            worker = self._workers[pod.uid] = PodWorker(pod, self._context)
            worker.update(pod)
            self._spawn(worker)

    def _forget(self, uid: str) -> None:
        """The pod's object is gone: so must be all that is here."""
        self._pods.pop(uid, None)
        if worker := self._workers.pop(uid, None):
            worker.remove()
        else:
            self._keep(asyncio.ensure_future(self._remove_leftovers(uid)))

    async def _remove_leftovers(self, uid: str) -> None:
        folder = self._context.pods / uid
        for instance in all_instances(folder):
            instance.kill()
            await instance.wait()
        self._context.addresses.release(uid)
        shutil.rmtree(folder, ignore_errors=True)

    def _spawn(self, worker: PodWorker) -> None:
        self._keep(asyncio.ensure_future(worker.run()))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of the node failed", exc_info=error)

    def _restore(self) -> None:
        """What pods hold, before any is seen, so that no new one gets what a running one has."""
        for folder in self._context.pods.iterdir():
            with contextlib.suppress(FileNotFoundError):
                record = json.loads((folder / "pod.json").read_text())
                self._context.addresses.restore(folder.name, PodName(*record["name"]), record["address"])
            for instance in all_instances(folder):
                if instance.is_alive:
                    owner = f"{folder.name}/{instance.folder.parent.name}"
                    self._context.gpus.restore(owner, instance.launched().environment)

    def instances(self, namespace: str, name: str, container: str) -> list[Instance]:
        """All runs of a container of a pod that is known by name."""
        for pod in self._named(namespace, name):
            return ContainerRuns(self._context.pods / pod.uid / "containers" / container, pod.uid).all()
        return []

    def pids(self, namespace: str, name: str) -> list[int]:
        """Every process of a pod."""
        children = procfs.children()
        return [pid for instance in self._pod_instances(namespace, name) for pid in instance.pids(children)]

    def kill(self, namespace: str, name: str) -> None:
        """SIGKILL for every process of a pod."""
        for instance in self._pod_instances(namespace, name):
            instance.kill()

    def _pod_instances(self, namespace: str, name: str) -> list[Instance]:
        return [
            instance
            for pod in self._named(namespace, name)
            for instance in all_instances(self._context.pods / pod.uid)
            if instance.is_alive
        ]

    def _named(self, namespace: str, name: str) -> list[Pod]:
        return [pod for pod in self._pods.values() if (pod.namespace, pod.name) == (namespace, name)]

    @property
    def is_cut(self) -> bool:
        return self._context.api.is_cut

    def freeze(self) -> None:
        """To the cluster the node is lost; its pods go on."""
        self._context.api.cut()

    def thaw(self) -> None:
        self._context.api.heal()

    async def shut_down(self, grace: float) -> None:
        """End all pods as at a node's shutdown: a disruption, of which their owners learn as such."""
        self._is_shutting_down = True
        await self._registration.write_status(ready=False, reason="KubeletNotReady", message="node is shutting down")
        workers = list(self._workers.values())
        for worker in workers:
            worker.stop(grace, _SHUTDOWN)
        await asyncio.gather(*(worker.over.wait() for worker in workers))
