"""What is known about one pod, and the task that tells it to the API: changes that come while one status is being
written go together into the next; nothing is written when nothing changed."""

import asyncio
import dataclasses
import logging

from local_cluster.node.api import Api, ApiError, Object
from local_cluster.node.models import Pod
from local_cluster.node.status import ContainerFacts, PodFacts, Terminated, Verdict, Waiting, pod_status, timestamp

log = logging.getLogger(__name__)
_TRY_AGAIN = 1.0
_NEVER_RAN = "The container could not be located when the pod was terminated"


class Board:
    def __init__(self, pod: Pod, facts: PodFacts) -> None:
        self._pod = pod
        self._facts = facts
        self._conditions = pod.conditions
        self._changed = asyncio.Event()
        self._changed.set()
        self._settled = asyncio.Event()
        self._sent: Object = {}

    def of(self, container: str) -> ContainerFacts:
        return self._facts.containers[container]

    def set(self, container: str, facts: ContainerFacts) -> None:
        self._change(containers={**self._facts.containers, container: facts})

    def set_ready(self, container: str, ready: bool) -> None:
        self.set(container, dataclasses.replace(self.of(container), ready=ready))

    def finish(self, verdict: Verdict | None, was_stopped: bool) -> None:
        """Nothing runs any more. What never ran is said to be lost, as the kubelet does, if the pod was stopped."""
        containers = dict(self._facts.containers)
        if was_stopped:
            never = Terminated(137, "ContainerStatusUnknown", _NEVER_RAN, "", timestamp())
            for name, facts in containers.items():
                if isinstance(facts.state, Waiting):
                    containers[name] = dataclasses.replace(facts, state=facts.last or never)
        self._change(containers=containers, is_over=True, verdict=verdict)

    async def settled(self) -> None:
        """Wait until the API knows everything that is known here, or the pod is gone there."""
        await self._settled.wait()

    async def run(self, api: Api) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not await self._send(api):
                self._settled.set()
                return
            if not self._changed.is_set():
                self._settled.set()

    def _change(self, **changes: object) -> None:
        self._facts = dataclasses.replace(self._facts, **changes)  # type: ignore[arg-type]
        self._settled.clear()
        self._changed.set()

    async def _send(self, api: Api) -> bool:
        """Whether the pod still exists."""
        known = dataclasses.replace(self._pod, conditions=self._conditions)
        status = pod_status(known, self._facts, timestamp())
        if status == self._sent:
            return True
        try:
            await api.patch(f"{self._pod.path}/status", {"metadata": {"uid": self._pod.uid}, "status": status})
        except ApiError as error:
            if error.is_not_found or error.is_about_another_object:
                return False
            log.warning("status of %s: %s", self._pod, error)
            await asyncio.sleep(_TRY_AGAIN)
            self._changed.set()
            return True
        self._sent, self._conditions = status, tuple(status["conditions"])
        return True
