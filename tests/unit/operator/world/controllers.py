"""Kubernetes' own controllers, as far as Jobs need them; what they do is read off their source."""

import random
from dataclasses import dataclass, field

from unit.operator.world.api import ApiServer, Event
from unit.operator.world.clock import Clock
from unit.operator.world.objects import (
    INDEX_LABEL,
    JOB_UID_LABEL,
    NAMESPACE,
    TRACKING,
    Raw,
    is_finished,
    is_going,
    is_over,
    is_true,
    name_of,
    owner_of,
    rank_of,
    uid_of,
    with_condition,
)


@dataclass
class JobController:
    """Pods for Indexed Jobs, and the conditions that tell how the Jobs go."""

    api: ApiServer
    clock: Clock
    rng: random.Random
    quota: int = 100
    """Pods that may exist at the same time."""
    _woken: set[str] = field(default_factory=set)
    _failures: dict[str, str] = field(default_factory=dict)
    """Of a Job's UID: why its pods' first failure fails it."""
    _completed: dict[str, set[int]] = field(default_factory=dict)

    def on_event(self, event: Event) -> None:
        if event.plural == "jobs":
            self._wake(uid_of(event.raw))
        elif event.plural == "pods" and (owner := owner_of(event.raw, "Job")):
            self._wake(owner)
        elif event.plural == "pods" and event.type == "MODIFIED":
            self._release(event.raw)

    def _wake(self, uid: str, seconds: float | None = None) -> None:
        if uid not in self._woken:
            self._woken.add(uid)
            self.clock.after(self.rng.uniform(0.01, 0.5) if seconds is None else seconds, self._sync, uid)

    def _sync(self, uid: str) -> None:
        self._woken.discard(uid)
        job = self.api.by_uid("jobs", uid)
        pods = [pod for pod in self.api.objects("pods") if owner_of(pod, "Job") == uid]
        if job is None or is_going(job) or is_finished(job):
            for pod in pods:
                self._release(pod)
        else:
            self._advance(job, pods)

    def _advance(self, job: Raw, pods: list[Raw]) -> None:
        self._count(uid_of(job), pods)
        active = [pod for pod in pods if not is_over(pod) and not is_going(pod)]
        failure, completed = self._failures.get(uid_of(job)), self._completed.get(uid_of(job), set())
        if failure is not None:
            wanted: set[int] = set()
        else:
            wanted = set() if job["spec"].get("suspend") else set(range(job["spec"]["completions"])) - completed
        for pod in active:
            if rank_of(pod) not in wanted:
                self.api.delete("pods", name_of(pod))
        going = {rank_of(pod) for pod in pods if not is_over(pod) and is_going(pod)}
        for rank in sorted(wanted - {rank_of(pod) for pod in active} - going):
            self._create(job, rank)
        self._tell(job, failure)

    def _count(self, uid: str, pods: list[Raw]) -> None:
        """What has ended is counted once, then let go."""
        for pod in pods:
            if not is_over(pod):
                continue
            if pod["status"]["phase"] == "Succeeded":
                self._completed.setdefault(uid, set()).add(rank_of(pod))
            else:
                self._failures.setdefault(uid, _failure(pod))
            self._release(pod)

    def _release(self, pod: Raw) -> None:
        current = self.api.by_uid("pods", uid_of(pod))
        if current is not None and TRACKING in current["metadata"].get("finalizers", []):
            self.api.change("pods", name_of(current), {"metadata": {"finalizers": []}})

    def _create(self, job: Raw, rank: int) -> None:
        if len([pod for pod in self.api.objects("pods") if not is_over(pod)]) >= self.quota:
            self._wake(uid_of(job), self.rng.uniform(5, 30))
            return
        template = job["spec"]["template"]
        labels = {**template["metadata"]["labels"], INDEX_LABEL: str(rank), JOB_UID_LABEL: uid_of(job)}
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name_of(job), "uid": uid_of(job), "controller": True}
        metadata = {
            "name": f"{name_of(job)}-{rank}-{self.rng.getrandbits(24):06x}",
            "namespace": NAMESPACE,
            "labels": labels,
            "finalizers": [TRACKING],
            "ownerReferences": [owner],
        }
        pod = {"metadata": metadata, "spec": template["spec"], "status": {"phase": "Pending"}}
        self.api.create("pods", pod)

    def _tell(self, job: Raw, failure: str | None) -> None:
        """Conditions and counts after this round."""
        uid, now = uid_of(job), self.clock.stamp()
        pods = [pod for pod in self.api.objects("pods") if owner_of(pod, "Job") == uid and not is_over(pod)]
        going = [pod for pod in pods if is_going(pod)]
        told = {**job, "status": {**job["status"], "active": len(pods) - len(going), "terminating": len(going)}}

        def add(type: str, status: str = "True", reason: str = "", message: str = "") -> None:
            told["status"]["conditions"] = with_condition(told, type, status, now, reason, message)

        completed = self._completed.get(uid, set())
        if failure is not None:
            reason = "BackoffLimitExceeded" if "backoff limit" in failure else "PodFailurePolicy"
            was_told = is_true(job, "FailureTarget")
            add("FailureTarget", reason=reason, message=failure)
            if was_told and not pods:
                add("Failed", reason=reason, message=failure)
            elif not was_told:
                self._wake(uid)
        elif len(completed) >= job["spec"]["completions"] and not pods:
            add("SuccessCriteriaMet", reason="CompletionsReached")
            add("Complete", reason="CompletionsReached")
        elif job["spec"].get("suspend"):
            add("Suspended", reason="JobSuspended")
        elif is_true(job, "Suspended"):
            add("Suspended", "False", reason="JobResumed")
        self.api.replace_status("jobs", name_of(job), told["status"], uid, None)


def _failure(pod: Raw) -> str:
    """As podFailurePolicy says it: the rule on disruptions comes first, then the one on exit codes."""
    where = f"{NAMESPACE}/{name_of(pod)}"
    if is_true(pod, "DisruptionTarget"):
        return f"Pod {where} has condition DisruptionTarget matching FailJob rule at index 0"
    for status in pod["status"].get("containerStatuses", []):
        ended = status["state"].get("terminated")
        if status["name"] == "trainer" and ended and ended["exitCode"]:
            code = ended["exitCode"]
            return f"Container trainer for pod {where} failed with exit code {code} matching FailJob rule at index 1"
    return "Job has reached the specified backoff limit"


@dataclass
class GarbageCollector:
    """What belonged to an object that is gone goes too; claims stay while a pod mounts them."""

    api: ApiServer
    clock: Clock
    rng: random.Random

    def on_event(self, event: Event) -> None:
        if event.type == "DELETED":
            self.clock.after(self.rng.uniform(0.02, 2), self._collect, uid_of(event.raw))
        for owner in event.raw["metadata"].get("ownerReferences", []) if event.type == "ADDED" else []:
            if self._is_unknown(owner["uid"]):
                self.clock.after(self.rng.uniform(0.02, 2), self._collect, owner["uid"])
        finalizers = event.raw["metadata"].get("finalizers", [])
        if event.type == "MODIFIED" and {"foregroundDeletion", "orphan"} & set(finalizers):
            self.clock.after(self.rng.uniform(0.02, 1), self._prepare, event.plural, uid_of(event.raw))

    def _is_unknown(self, uid: str) -> bool:
        """The owner was gone before its child was made."""
        return all(self.api.by_uid(plural, uid) is None for plural in ("trainingjobs", "jobs"))

    def _children(self, uid: str) -> list[tuple[str, Raw]]:
        kinds = ("jobs", "pods", "services", "persistentvolumeclaims", "traininghistories")
        return [(kind, raw) for kind in kinds for raw in self.api.objects(kind) if _is_owned(raw, uid)]

    def _collect(self, uid: str) -> None:
        for kind, raw in self._children(uid):
            if not is_going(raw):
                self.api.delete(kind, name_of(raw))

    def _prepare(self, plural: str, uid: str) -> None:
        """Children first: let go of, or deleted."""
        raw = self.api.by_uid(plural, uid)
        if raw is None or not raw["metadata"].get("finalizers"):
            return
        children = self._children(uid)
        if "orphan" in raw["metadata"]["finalizers"]:
            for kind, child in children:
                self.api.change(kind, name_of(child), {"metadata": {"ownerReferences": []}})
        elif children:
            for kind, child in children:
                self.api.delete(kind, name_of(child), policy="Foreground" if kind == "jobs" else "Background")
            self.clock.after(1, self._prepare, plural, uid)
            return
        self.api.change(plural, name_of(raw), {"metadata": {"finalizers": []}})


def _is_owned(raw: Raw, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in raw["metadata"].get("ownerReferences", []))
