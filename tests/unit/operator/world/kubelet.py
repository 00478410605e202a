"""Scheduler, nodes and kubelets: what becomes of a pod once it is created."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from trainingjob_api.contract import CONTAINER_NAME, NODES_ENV, RUN_ENV
from trainingjob_api.history import HistoryPage
from unit.operator.world.api import ApiServer, Event
from unit.operator.world.clock import Clock
from unit.operator.world.objects import (
    JOB_UID_LABEL,
    Raw,
    is_going,
    is_over,
    name_of,
    rank_of,
    training_job_of,
    uid_of,
    with_condition,
)
from unit.operator.world.story import Story
from unit.operator.world.trainer import Character, Folder, Training

PROXY = "proxy"
NODES = ("node-a", "node-b", "node-c", "node-d")


@dataclass(frozen=True)
class Start:
    """What a pod meets on its way to a running container."""

    unschedulable_seconds: float = 0.0
    pull_fails_seconds: float = 0.0
    create_seconds: float = 0.5
    refused: tuple[str, str] | None = None
    """The kubelet's reason and message."""
    has_proxy: bool = False
    """A second container was injected, which does not end by itself."""


@dataclass
class Kubelets:
    """Every node's, and the scheduler before them."""

    api: ApiServer
    clock: Clock
    rng: random.Random
    story: Story
    next_start: Callable[[], Start]
    next_character: Callable[[], Character]
    folders: dict[str, Folder] = field(default_factory=dict)
    """By UID of the TrainingJob."""
    trainings: dict[str, Training] = field(default_factory=dict)
    """By UID of the Job."""
    lost: dict[str, list[Callable[[], None]]] = field(default_factory=dict)
    """Nodes that do not answer, and what they have yet to do."""
    _running: dict[str, tuple[Training, int]] = field(default_factory=dict)
    _terminated: set[str] = field(default_factory=set)

    def on_event(self, event: Event) -> None:
        if event.plural != "pods":
            return
        uid = uid_of(event.raw)
        if event.type == "ADDED":
            self.clock.after(self.rng.uniform(0.05, 1), self._schedule, uid, self.next_start())
        elif event.type == "MODIFIED" and is_going(event.raw) and uid not in self._terminated:
            self._terminated.add(uid)
            self.clock.after(self.rng.uniform(0.01, 0.3), self._on_node, uid, self._terminate)

    def _on_node(self, uid: str, do: Callable[[str], None]) -> None:
        """A node that is lost does it when it is back."""
        pod = self.api.by_uid("pods", uid)
        if pod is None:
            return
        deferred = self.lost.get(pod["spec"].get("nodeName", ""))
        if deferred is None:
            do(uid)
        else:
            deferred.append(lambda: self._on_node(uid, do))

    # On the way up

    def _schedule(self, uid: str, start: Start) -> None:
        pod = self.api.by_uid("pods", uid)
        if pod is None or is_over(pod) or is_going(pod):
            return
        free = [node for node in NODES if node not in self.lost]
        if start.unschedulable_seconds > 0 or not free:
            words = "0/4 nodes are available: 4 Insufficient nvidia.com/gpu."
            self._set(pod, conditions=self._conditions(pod, ("PodScheduled", "False", "Unschedulable", words)))
            wait = max(start.unschedulable_seconds, 5)
            self.clock.after(wait, self._schedule, uid, Start(create_seconds=start.create_seconds))
            return
        self.api.change("pods", name_of(pod), {"spec": {"nodeName": self.rng.choice(free)}})
        self.clock.after(start.create_seconds, self._on_node, uid, lambda uid: self._start(uid, start))

    def _start(self, uid: str, start: Start) -> None:
        pod = self.api.by_uid("pods", uid)
        if pod is None or is_over(pod) or is_going(pod):
            return
        if start.refused is not None:
            reason, message = start.refused
            self._set(pod, phase="Failed", reason=reason, message=message)
            self.story.tell("kubelet", f"refuses {name_of(pod)}: {reason}")
        elif start.pull_fails_seconds > 0:
            waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
            self._set(pod, containerStatuses=[{"name": CONTAINER_NAME, "state": waiting}])
            self.clock.after(start.pull_fails_seconds, self._on_node, uid, lambda uid: self._start(uid, Start()))
        else:
            self._run(pod, start)

    def _run(self, pod: Raw, start: Start) -> None:
        uid, rank = uid_of(pod), rank_of(pod)
        running = {"running": {"startedAt": self.clock.stamp()}}
        container = {"name": CONTAINER_NAME, "containerID": f"containerd://{uid}", "state": running}
        self._set(
            pod,
            phase="Running",
            podIP=f"ip-{uid}",
            containerStatuses=[container, *([{"name": PROXY, "state": running}] if start.has_proxy else [])],
            conditions=self._conditions(pod, ("Ready", "True", "", ""), ("ContainersReady", "True", "", "")),
        )
        training = self._training(pod)
        self._running[uid] = training, rank
        training.join(rank, lambda code, message: self._on_node(uid, lambda uid: self._end(uid, code, message)))

    def _training(self, pod: Raw) -> Training:
        job = str(pod["metadata"]["labels"][JOB_UID_LABEL])
        known = self.trainings.get(job)
        if known is None or known.ceased is not None or rank_of(pod) in known.joined:
            variables = {v["name"]: v.get("value", "") for v in pod["spec"]["containers"][0]["env"]}
            run, nodes = json.loads(variables[RUN_ENV]), int(variables[NODES_ENV])
            folder = self.folders.setdefault(run["uid"], Folder())
            known = Training(self.clock, self.rng, folder, run, nodes, self.next_character())
            self.trainings[job] = known
        return known

    # On the way down

    def _terminate(self, uid: str) -> None:
        pod = self.api.by_uid("pods", uid)
        if pod is None:
            return
        if is_over(pod):
            self._forget(uid)
        elif uid in self._running:
            training, rank = self._running[uid]
            training.terminate(rank)
            grace = pod["metadata"]["deletionGracePeriodSeconds"]
            self.clock.after(grace, self._on_node, uid, lambda _: training.kill(rank))
        else:
            self._end_the_rest(pod)
            self._forget(uid)

    def _end_the_rest(self, pod: Raw) -> None:
        """Of a pod in which no trainer runs."""
        statuses = [s for s in pod["status"].get("containerStatuses", []) if "waiting" not in s["state"]]
        ended = [{**s, "state": {"terminated": s["state"].get("terminated", {"exitCode": 0})}} for s in statuses]
        is_done = bool(ended) and not any(s["state"]["terminated"]["exitCode"] for s in ended)
        self._set(pod, phase="Succeeded" if is_done else "Failed", containerStatuses=ended)

    def _end(self, uid: str, code: int, message: str, reason: str = "") -> None:
        pod = self.api.by_uid("pods", uid)
        self._running.pop(uid, None)
        if pod is None or is_over(pod):
            return
        self.story.tell("kubelet", f"{name_of(pod)} ended with {code}")
        ended = {
            "exitCode": code,
            "reason": reason or ("Completed" if code == 0 else "Error"),
            "message": message,
            "finishedAt": self.clock.stamp(),
        }
        known = pod["status"]["containerStatuses"]
        proxies = [status for status in known if status["name"] == PROXY]
        trainer = {**known[0], "state": {"terminated": ended}}
        if proxies and not is_going(pod):
            self._set(pod, containerStatuses=[trainer, *proxies])
            return
        statuses = [trainer, *({"name": PROXY, "state": {"terminated": {"exitCode": 0}}} for _ in proxies)]
        phase = "Succeeded" if code == 0 else "Failed"
        ready = (("Ready", "False", "PodCompleted", ""), ("ContainersReady", "False", "PodCompleted", ""))
        self._set(pod, phase=phase, containerStatuses=statuses, conditions=self._conditions(pod, *ready))
        if is_going(pod):
            self.clock.after(self.rng.uniform(0.02, 0.5), self._forget, uid)

    def _forget(self, uid: str) -> None:
        """The last thing that a kubelet does for a deleted pod."""
        pod = self.api.by_uid("pods", uid)
        if pod is not None and is_going(pod):
            self.api.delete("pods", name_of(pod), grace=0)

    def _set(self, pod: Raw, **status: object) -> None:
        self.api.change("pods", name_of(pod), {"status": status})

    def _conditions(self, pod: Raw, *changes: tuple[str, str, str, str]) -> list[Raw]:
        for type, status, reason, message in changes:
            changed = with_condition(pod, type, status, self.clock.stamp(), reason, message)
            pod = {**pod, "status": {**pod["status"], "conditions": changed}}
        return list(pod["status"].get("conditions", []))

    # What is asked and done from outside

    def running(self) -> list[Raw]:
        """Pods whose container runs, as far as their nodes know."""
        return [pod for pod in self.api.objects("pods") if uid_of(pod) in self._running]

    def progress(self, ip: str) -> Raw | None:
        """What rank 0 of this pod answers at /progress; None: nothing."""
        training = self._reachable(ip)
        return training.report() if training else None

    def history(self, ip: str, after: int) -> HistoryPage | None:
        """What it answers at /history."""
        training = self._reachable(ip)
        return training.page(after) if training else None

    def _reachable(self, ip: str) -> Training | None:
        training, rank = self._running.get(ip.removeprefix("ip-"), (None, 0))
        pod = self.api.by_uid("pods", ip.removeprefix("ip-"))
        if training is None or rank != 0 or pod is None or pod["spec"]["nodeName"] in self.lost:
            return None
        return training if training.answers() else None

    def disrupt(self, pod: Raw, reason: str) -> None:
        """A drain, or the scheduler makes room."""
        conditions = self._conditions(pod, ("DisruptionTarget", "True", reason, ""))
        self._set(pod, conditions=conditions)
        self.api.delete("pods", name_of(pod))

    def kill(self, pod: Raw, reason: str = "OOMKilled") -> None:
        """The kernel ends the container."""
        if (running := self._running.get(uid_of(pod))) is not None:
            training, rank = running
            training.ranks.pop(rank, None)
            self._on_node(uid_of(pod), lambda uid: self._end(uid, 137, "", reason))
            training.lose_peer()

    def evict(self, pod: Raw, message: str) -> None:
        """For what the pod itself used: no disruption, says the kubelet."""
        self._set(pod, reason="Evicted", message=message)
        self.kill(pod, "Error")

    def lose(self, node: str) -> None:
        """The node falls silent; what runs on it runs on."""
        self.lost.setdefault(node, [])
        self.clock.after(40, self._mark_lost, node)

    def _mark_lost(self, node: str) -> None:
        if node not in self.lost:
            return
        self._set_node(node, "Unknown")
        for pod in self._pods_on(node):
            self._set(pod, conditions=self._conditions(pod, ("Ready", "False", "", "")))

    def find(self, node: str, *, rebooted: bool) -> None:
        """The node is back, and does what it was told meanwhile."""
        deferred = self.lost.pop(node, [])
        self._set_node(node, "True")
        for pod in self._pods_on(node):
            if rebooted and uid_of(pod) in self._running:
                self.kill(pod, "ContainerStatusUnknown")
            elif uid_of(pod) in self._running:
                self._set(pod, conditions=self._conditions(pod, ("Ready", "True", "", "")))
        for do in deferred:
            do()

    def remove(self, node: str) -> None:
        """Somebody deletes the node: the machine is off, and the pod garbage collector marks its pods."""
        self.lost.pop(node, None)
        self.api.delete("nodes", node)
        for pod in self._pods_on(node):
            training, rank = self._running.pop(uid_of(pod), (None, 0))
            if training is not None:
                training.ranks.pop(rank, None)
                training.lose_peer()
            conditions = self._conditions(pod, ("DisruptionTarget", "True", "DeletionByPodGC", ""))
            self._set(pod, phase="Failed", conditions=conditions)
            self.api.delete("pods", name_of(pod), grace=0)

    def _pods_on(self, node: str) -> list[Raw]:
        return [p for p in self.api.objects("pods") if p["spec"].get("nodeName") == node and not is_over(p)]

    def _set_node(self, node: str, ready: str) -> None:
        raw = self.api.get("nodes", node)
        if raw is not None:
            conditions = with_condition(raw, "Ready", ready, self.clock.stamp())
            self.api.change("nodes", node, {"status": {"conditions": conditions}})

    def training_of(self, uid: str) -> Training | None:
        """The newest attempt's of this TrainingJob."""
        return next((t for t in reversed(self.trainings.values()) if t.run["uid"] == uid), None)

    def trainings_alive(self, name: str) -> list[Training]:
        """Of the TrainingJob of this name: one at most, if all goes well."""
        alive = {id(self._running[uid_of(pod)][0]): pod for pod in self.running() if training_job_of(pod) == name}
        return [self._running[uid_of(pod)][0] for pod in alive.values()]
