"""What the API is told about a pod: pure functions from what is known of its containers to its status."""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local_cluster.node.models import Container, Pod

Object = dict[str, Any]


@dataclass(frozen=True)
class Waiting:
    reason: str = "ContainerCreating"
    message: str = ""


@dataclass(frozen=True)
class Running:
    started: str


@dataclass(frozen=True)
class Terminated:
    code: int
    reason: str
    message: str
    started: str
    finished: str


State = Waiting | Running | Terminated


@dataclass(frozen=True)
class ContainerFacts:
    state: State = Waiting()
    last: Terminated | None = None
    """How the run before this one ended."""
    restarts: int = 0
    ready: bool = False
    identity: str = ""

    @property
    def succeeded(self) -> bool:
        return isinstance(self.state, Terminated) and self.state.code == 0


@dataclass(frozen=True)
class Verdict:
    """Why the node ended a pod, where that was the node's own doing."""

    reason: str
    message: str
    is_disruption: bool = False


@dataclass(frozen=True)
class PodFacts:
    address: str
    host: str
    start_time: str
    containers: Mapping[str, ContainerFacts]
    """By name, init containers included."""
    is_over: bool = False
    """Nothing of the pod runs, and nothing will be started again."""
    verdict: Verdict | None = None

    def of(self, container: Container) -> ContainerFacts:
        return self.containers.get(container.name, ContainerFacts())


def timestamp(seconds: float | None = None) -> str:
    """A time (default: now) as the API writes it."""
    time = datetime.datetime.now(datetime.UTC) if seconds is None else _from_epoch(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _from_epoch(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def pod_status(pod: Pod, facts: PodFacts, now: str) -> Object:
    """The status as a strategic merge patch: conditions that are not the node's stay, and null clears a field."""
    status: Object = {
        "phase": phase(pod, facts),
        "startTime": facts.start_time,
        "hostIP": facts.host,
        "hostIPs": [{"ip": facts.host}],
        "podIP": facts.address,
        "podIPs": [{"ip": facts.address}],
        "conditions": _conditions(pod, facts, now),
        "containerStatuses": [_container_status(container, facts.of(container)) for container in pod.containers],
    }
    if pod.init_containers:
        status["initContainerStatuses"] = [
            _container_status(container, _completed(facts.of(container))) for container in pod.init_containers
        ]
    if pod.generation is not None:
        status["observedGeneration"] = pod.generation
    if verdict := facts.verdict:
        status |= {"reason": "Terminated" if verdict.is_disruption else verdict.reason, "message": verdict.message}
    return status


def phase(pod: Pod, facts: PodFacts) -> str:
    states = [facts.of(container) for container in pod.containers]
    if facts.is_over:
        succeeded = all(container.succeeded for container in states) and facts.verdict is None
        return "Succeeded" if succeeded else "Failed"
    if not _initialized(pod, facts):
        return "Pending"
    never_started = [
        isinstance(container.state, Waiting) and not container.identity and container.last is None
        for container in states
    ]
    return "Pending" if any(never_started) else "Running"


def _initialized(pod: Pod, facts: PodFacts) -> bool:
    return all(facts.of(container).succeeded for container in pod.init_containers)


def _conditions(pod: Pod, facts: PodFacts, now: str) -> list[Object]:
    ended = facts.is_over and all(facts.of(container).succeeded for container in pod.containers)
    unready = [container.name for container in pod.containers if not facts.of(container).ready]
    started = bool(facts.containers) and any(facts.of(container).identity for container in pod.containers)
    reason = "PodCompleted" if ended else "PodFailed" if facts.is_over else "ContainersNotReady"
    message = f"containers with unready status: [{' '.join(unready)}]" if unready and not facts.is_over else ""
    wanted = [
        _condition("PodReadyToStartContainers", started and not facts.is_over),
        _condition(
            "Initialized", _initialized(pod, facts), "" if _initialized(pod, facts) else "ContainersNotInitialized"
        ),
        _condition("Ready", not unready, reason if unready else "", message),
        _condition("ContainersReady", not unready, reason if unready else "", message),
        _condition("PodScheduled", True),
    ]
    if facts.verdict and facts.verdict.is_disruption:
        wanted.append(_condition("DisruptionTarget", True, facts.verdict.reason, facts.verdict.message))
    return [_with_transition(condition, pod.conditions, now) for condition in wanted]


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
    return {"type": kind, "status": str(holds), "reason": reason or None, "message": message or None}


def _with_transition(condition: Object, previous: Iterable[Mapping[str, Any]], now: str) -> Object:
    """The time of the last change of this condition's status, which is kept as long as it does not change."""
    for before in previous:
        if before["type"] == condition["type"] and before["status"] == condition["status"]:
            return {**condition, "lastTransitionTime": before.get("lastTransitionTime") or now}
    return {**condition, "lastTransitionTime": now}


def _completed(facts: ContainerFacts) -> ContainerFacts:
    """An init container is ready when it is done."""
    return dataclasses.replace(facts, ready=facts.succeeded)


def _container_status(container: Container, facts: ContainerFacts) -> Object:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": container.image if facts.identity else "",
        **({"containerID": facts.identity} if facts.identity else {}),
        "ready": facts.ready,
        "started": isinstance(facts.state, Running),
        "restartCount": facts.restarts,
        "state": _state(facts.state, facts.identity),
        "lastState": _state(facts.last, "") if facts.last else None,
    }


def _state(state: State, identity: str) -> Object:
    entry: Object = {"waiting": None, "running": None, "terminated": None}
    match state:
        case Waiting(reason, message):
            entry["waiting"] = {"reason": reason, "message": message or None}
        case Running(started):
            entry["running"] = {"startedAt": started}
        case Terminated(code, reason, message, started, finished):
            times = {"startedAt": started or None, "finishedAt": finished}
            optional = {"message": message or None, "containerID": identity or None}
            entry["terminated"] = {"exitCode": code, "reason": reason, **times, **optional}
    return entry
