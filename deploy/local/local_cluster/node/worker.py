"""The life of one pod on this node: address, volumes, init containers, containers, the end, and, when somebody
deleted it, the word to the API that it is gone. Its folder is enough to go on after a restart of the node."""

import asyncio
import contextlib
import datetime
import json
import logging
import shutil
import time

from local_cluster.node.api import ApiError
from local_cluster.node.board import Board
from local_cluster.node.context import HOST, Context
from local_cluster.node.fields import Fields
from local_cluster.node.launching import Surroundings
from local_cluster.node.models import Container, Pod, RestartPolicy
from local_cluster.node.runner import Runner, patiently
from local_cluster.node.runs import ContainerRuns
from local_cluster.node.sources import Sources
from local_cluster.node.status import ContainerFacts, PodFacts, Verdict, Waiting, timestamp
from local_cluster.node.stopping import Stop, Stopped
from local_cluster.node.volumes import Volumes
from local_cluster.processes import write_atomically

log = logging.getLogger(__name__)
_REMOVED_GRACE = 1.0
"""Seconds for a pod whose object is gone already: as for the kubelet, nobody waits for it any more."""


class PodWorker:
    def __init__(self, pod: Pod, context: Context) -> None:
        self.pod = pod
        self._context = context
        self._folder = context.pods / pod.uid
        self._address = context.addresses.take(pod.uid, pod.dns_name)
        self._start_time = pod.start_time or timestamp()
        self._board = Board(pod, self._first_facts())
        self._stop = Stop()
        self._deletion = asyncio.Event()
        self._removed = asyncio.Event()
        self.over = asyncio.Event()
        """Set once nothing of the pod runs and the API knows how it ended."""

    def update(self, pod: Pod) -> None:
        """Somebody changed the pod; only its deletion means anything to a running one."""
        self.pod = pod
        if pod.deletion:
            self._stop.request(pod.deletion.seconds or _REMOVED_GRACE)
            self._deletion.set()

    def remove(self) -> None:
        """The pod's object is gone: end what still runs."""
        self._stop.request(_REMOVED_GRACE)
        self._removed.set()
        self._deletion.set()

    def stop(self, grace: float, verdict: Verdict) -> None:
        self._stop.request(min(grace, self.pod.grace), verdict)

    async def run(self) -> None:
        """Until the pod's object is gone and nothing is left of it here."""
        reporting = asyncio.ensure_future(self._board.run(self._context.api))
        try:
            await self._live_and_end()
            await self._board.settled()
            self.over.set()
            await self._deletion.wait()
            if not self._removed.is_set():
                await self._confirm_deletion()
            await self._removed.wait()
            self._clean_up()
        finally:
            reporting.cancel()

    async def _live_and_end(self) -> None:
        verdict = None
        try:
            await self._live()
        except Stopped:
            pass
        except Exception as error:  # a defect of ours must not leave a pod that never ends
            log.exception("pod %s", self.pod)
            verdict = Verdict("NodeError", f"{type(error).__name__}: {error}")
            self._stop.request(0)
        self._board.finish(verdict or self._stop.verdict, self._stop.is_requested)

    async def _live(self) -> None:
        self._write_record()
        deadline = asyncio.ensure_future(self._enforce_deadline())
        try:
            surroundings = await self._stop.unless(self._prepare())
            await self._stop.unless(self._context.faults.before_start(self.pod.namespace, self.pod.name))
            for container in self.pod.init_containers:
                policy: RestartPolicy = "Never" if self.pod.restart_policy == "Never" else "OnFailure"
                await self._runner(container, policy, surroundings).run()
                if not self._board.of(container.name).succeeded:
                    return
            async with asyncio.TaskGroup() as group:
                for container in self.pod.containers:
                    group.create_task(self._runner(container, self.pod.restart_policy, surroundings).run())
        finally:
            deadline.cancel()

    async def _prepare(self) -> Surroundings:
        fields = Fields(self.pod, self._address, HOST, self._context.allocatable)
        sources = Sources(self._context.api, self.pod)
        volumes = Volumes(self._folder / "volumes", fields, sources)
        paths = await patiently(volumes.prepare, self._tell_mount_failure)
        return Surroundings(fields, sources, dict(paths), self._folder / "scratch")

    def _tell_mount_failure(self, reason: str, message: str) -> None:
        self._context.events.warn(self.pod, "FailedMount", message)

    def _runner(self, container: Container, policy: RestartPolicy, surroundings: Surroundings) -> Runner:
        runs = self._runs(container)
        return Runner(container, policy, runs, surroundings, self._context, self._board, self._stop)

    def _runs(self, container: Container) -> ContainerRuns:
        return ContainerRuns(self._folder / "containers" / container.name, self.pod.uid)

    async def _enforce_deadline(self) -> None:
        if self.pod.deadline is None:
            return
        started = datetime.datetime.fromisoformat(self._start_time).timestamp()
        await asyncio.sleep(started + self.pod.deadline - time.time())
        message = "Pod was active on the node longer than the specified deadline"
        self._stop.request(self.pod.grace, Verdict("DeadlineExceeded", message))

    async def _confirm_deletion(self) -> None:
        """As the kubelet does, once the pod's end is in its status; never for another pod of the same name."""
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod.uid}}
        with contextlib.suppress(ApiError):
            await self._context.api.delete(self.pod.path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})

    def _write_record(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = self.pod.dns_name
        record = {"address": self._address, "name": [name.namespace, name.subdomain, name.hostname]}
        write_atomically(self._folder / "pod.json", json.dumps(record))

    def _clean_up(self) -> None:
        self._context.addresses.release(self.pod.uid)
        self._context.addresses.forget(self.pod.namespace, self.pod.subdomain)
        self._context.gpus.release(self.pod.uid)
        self._context.events.forget(self.pod.uid)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _first_facts(self) -> PodFacts:
        """Containers that an earlier node program started are found in the folder."""
        waiting = Waiting("PodInitializing" if self.pod.init_containers else "ContainerCreating")
        containers = {one.name: self._runs(one).facts(one) or ContainerFacts(waiting) for one in self.pod.containers}
        for one in self.pod.init_containers:
            containers[one.name] = self._runs(one).facts(one) or ContainerFacts()
        return PodFacts(self._address, HOST, self._start_time, containers)
