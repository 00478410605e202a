"""What must hold after every single change, and what must be so in the end."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from unit.operator.world.api import ApiServer, Event
from unit.operator.world.clock import Clock
from unit.operator.world.endpoint import Call
from unit.operator.world.kubelet import Kubelets
from unit.operator.world.objects import (
    Raw,
    is_finished,
    is_going,
    is_over,
    is_true,
    name_of,
    reason_of,
    training_job_of,
    uid_of,
)

STRICT = os.environ.get("STRICT") == "1"
COUNTS = ("attempt", "restarts", "disruptions")
ATTEMPTS_AN_HOUR = 60
WRITES_AN_HOUR = 800
PASSES_A_MINUTE = 300
PATIENCE = 120.0
"""Seconds after which the operator must know of what a person did, whatever got lost."""


class ViolatedError(AssertionError):
    """The operator did what it must never do."""


@dataclass
class Invariants:
    """Looks at every change of the cluster."""

    api: ApiServer
    clock: Clock
    kubelets: Kubelets
    violated: Callable[[str], None]
    writes: Counter[str] = field(default_factory=Counter)
    _hourly: Counter[tuple[str, int]] = field(default_factory=Counter)
    _passes: Counter[int] = field(default_factory=Counter)
    _has_cause: bool = True
    """Something has happened since the last attempt began that another may follow from."""
    _was_bad: bool = False
    """A pod has ended as no request explains."""
    _last_edit: float = 0.0
    _refused_since: float | None = None

    def on_act(self) -> None:
        """A person, or the cluster in a bad mood."""
        self._has_cause = True

    def on_event(self, event: Event) -> None:
        before = event.before
        match event.plural:
            case "trainingjobs":
                if before is None or event.raw["spec"] != before["spec"]:
                    self._last_edit = self.clock.seconds
                if before is not None and event.raw["status"] != before["status"]:
                    self._status(event.raw, before)
            case "pods":
                self._pods(event)
            case "jobs":
                self._jobs(event)

    def on_pass(self) -> None:
        minute = int(self.clock.seconds // 60)
        self._passes[minute] += 1
        self._must(self._passes[minute] <= PASSES_A_MINUTE, f"{PASSES_A_MINUTE} passes within a minute")

    def on_write(self, call: Call, code: int) -> None:
        """Of the operator."""
        if not call.counts:
            return
        self.writes[call.plural] += 1
        hour = int(self.clock.seconds // 3600)
        self._hourly["writes", hour] += 1
        self._hourly["attempts", hour] += call.method == "POST" and call.plural == "jobs" and code == 200
        self._must(self._hourly["writes", hour] <= WRITES_AN_HOUR, f"{WRITES_AN_HOUR} writes within an hour")
        self._must(self._hourly["attempts", hour] <= ATTEMPTS_AN_HOUR, f"{ATTEMPTS_AN_HOUR} attempts within an hour")
        if call.plural == "jobs" and call.method in ("PATCH", "DELETE") and code == 200:
            self._stop(call.name)

    def on_refusal(self, plural: str) -> None:
        """The operator cannot create what it wants to."""
        if self._refused_since is None:
            self._refused_since = self.clock.seconds
        is_stalled = any(is_true(raw, "Stalled") for raw in self.api.objects("trainingjobs"))
        is_long = self.clock.seconds - self._refused_since > PATIENCE
        self._must(is_stalled or not is_long, f"creating {plural} has failed for {PATIENCE:.0f} s, and nobody is told")

    def _must(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.violated(otherwise)

    def _strictly(self, is_so: bool, otherwise: str) -> None:
        """Of what does not hold yet."""
        if STRICT:
            self._must(is_so, otherwise)

    # Of the status

    def _status(self, raw: Raw, before: Raw) -> None:
        new, old = raw["status"], before["status"]
        for count in COUNTS:
            self._must(new.get(count, 0) >= old.get(count, 0), f"{count} fell to {new.get(count, 0)}")
        if new.get("attempt", 0) > old.get("attempt", 0):
            words = f"attempt {new['attempt']} begins, though nothing has happened to the one before"
            self._must(self._has_cause, words)
            self._has_cause = False
        if is_finished(before):
            self._must(_ends(new) == _ends(old), "a finished TrainingJob changed its end")
        self._must(not (is_true(raw, "Complete") and is_true(raw, "Failed")), "Complete and Failed at once")
        self._must(self._was_bad or not is_true(raw, "Failed") or "DeadlineExceeded" in reason_of(raw, "Failed"),
                   "Failed, though no pod has ended badly")  # fmt: skip
        states = [type for type in ("Ready", "Reconciling", "Stalled") if is_true(raw, type)]
        self._must(len(states) == 1, f"{states} at once")
        self._strictly(reason_of(raw, "Stalled") != "NameTaken", "NameTaken, though there is nobody else")
        if is_true(raw, "Suspended"):
            self._must(not self._live(name_of(raw)), "Suspended while a pod is not over")
            self._must("retryTime" not in new, "Suspended, and yet it says when it goes on")
        if not is_true(raw, "Running"):
            shown = {"samplesPerSecond", "secondsRemaining", "remainingText"} & set(new.get("progress", {}))
            self._must(not shown, f"nothing runs, and yet {sorted(shown)} are shown")
        self._messages(raw)
        self._truth(raw)

    def _messages(self, raw: Raw) -> None:
        for condition in raw["status"].get("conditions", []):
            if condition["status"] == "True" and condition["type"] in ("Stalled", "Failed"):
                self._must(bool(condition["message"]), f"{condition['type']}/{condition['reason']} without a message")
        failure = raw["status"].get("lastFailure")
        self._must(failure is None or bool(failure["message"]), f"a failure without a message: {failure}")

    def _truth(self, raw: Raw) -> None:
        """What status says about the disk is so."""
        status, folder = raw["status"], self.kubelets.folders.get(uid_of(raw))
        on_disk = folder.saved.step if folder and folder.saved else 0
        told = status.get("checkpoint", {}).get("step", 0)
        training = self.kubelets.training_of(uid_of(raw))
        newest = max(on_disk, training.saved.step if training and training.saved else 0)
        self._must(told <= newest, f"status tells of a checkpoint at step {told}; the newest is at {newest}")
        pause = status.get("pause", {})
        if is_true(raw, "Suspended") and pause.get("evidence") == "PodReport":
            saved = pause.get("savedStep", 0)
            self._must(saved == newest, f"the pause is said to have saved step {saved}; it was {newest}")
        if is_true(raw, "Complete"):
            self._must(newest > 0, "Complete, but nothing is on the disk")

    # Of pods and Jobs

    def _live(self, name: str) -> list[Raw]:
        return [pod for pod in self.api.objects("pods") if training_job_of(pod) == name and not is_over(pod)]

    def _pods(self, event: Event) -> None:
        pod = event.raw
        if pod["status"].get("phase") == "Failed" or event.type == "DELETED":
            self._has_cause = True
            self._was_bad = self._was_bad or _ended_badly(pod)
            return
        name = training_job_of(pod)
        alive = self.kubelets.attempts_alive().get(name, set())
        self._must(len(alive) <= 1, f"pods of several attempts run at the same time: {sorted(alive)}")
        owner = self.api.get("trainingjobs", name)
        if event.type == "ADDED" and owner is not None:
            self._must(not is_true(owner, "Suspended"), f"{name_of(pod)} begins while Suspended is True")
            self._must(not is_finished(owner), f"{name_of(pod)} begins although the TrainingJob is finished")

    def _jobs(self, event: Event) -> None:
        if event.type == "DELETED":
            self._has_cause = True
        if event.type != "ADDED":
            return
        owner = self.api.get("trainingjobs", training_job_of(event.raw))
        name = name_of(event.raw)
        self._must(owner is None or not is_finished(owner), f"{name} is made although the TrainingJob is finished")
        self._refused_since = None

    def _stop(self, name: str) -> None:
        """The operator has suspended or deleted a Job."""
        training = next((t for t in self.kubelets.trainings.values() if t.name == name and t.is_stepping), None)
        owner = self.api.by_uid("trainingjobs", training.run["uid"]) if training else None
        if training is None or owner is None or self.clock.seconds - self._last_edit < PATIENCE:
            return
        is_asked = owner["spec"].get("suspend") or owner["status"].get("pause", {}).get("resourcesReleased") is False
        self._must(bool(is_asked) or self._is_late(owner), f"{name} is stopped, though it trains and nobody asked")

    def _is_late(self, owner: Raw) -> bool:
        return "totalSeconds" in owner["spec"].get("deadlines", {})

    # In the end

    def in_the_end(self, name: str) -> None:
        """Nothing disturbs any more, and time enough has passed."""
        raw = self.api.get("trainingjobs", name)
        if raw is None:
            return
        status = raw["status"]
        told = f"phase {status.get('phase')}"
        wants_pause = bool(raw["spec"].get("suspend")) and not is_finished(raw)
        self._must(not wants_pause or is_true(raw, "Suspended"), f"a pause never ended: {told}")
        self._must(wants_pause or is_finished(raw), f"the training never ended: {told}")
        generation = raw["metadata"]["generation"]
        self._must(status.get("observedGeneration") == generation or is_finished(raw), "the last edit was not seen")
        self._must(not self._live(name), f"a pod is left, {told}")
        jobs = [job for job in self.api.objects("jobs") if not is_finished(job) and not is_going(job)]
        may_run = [job for job in jobs if not is_true(job, "Suspended") or _is_queued(job)]
        self._must(not may_run, f"{', '.join(name_of(job) for job in may_run)} may still run, {told}")


def _ends(status: Raw) -> list[tuple[str, str, str]]:
    return [(c["type"], c["status"], c["reason"]) for c in status["conditions"] if c["type"] in ("Complete", "Failed")]


def _ended_badly(pod: Raw) -> bool:
    """Neither in good order nor because somebody asked it to."""
    if pod["status"].get("reason"):
        return True
    ended = [c["state"]["terminated"] for c in pod["status"].get("containerStatuses", []) if "terminated" in c["state"]]
    return any(end["exitCode"] not in (0, 43, 48, 143) for end in ended)


def _is_queued(job: Raw) -> bool:
    return "kueue.x-k8s.io/queue-name" in job["metadata"]["labels"]
