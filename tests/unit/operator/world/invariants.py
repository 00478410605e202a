"""What must hold after every single change, and what must be so in the end."""

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
    is_over,
    is_true,
    name_of,
    training_job_of,
    uid_of,
)

COUNTS = ("attempt", "restarts", "disruptions")
ATTEMPTS_AN_HOUR = 150
WRITES_AN_HOUR = 1500


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
    hourly: Counter[tuple[str, int]] = field(default_factory=Counter)

    def on_event(self, event: Event) -> None:
        if event.plural == "trainingjobs" and event.type == "MODIFIED" and event.before is not None:
            self._status(event.raw, event.before)
        if event.plural == "pods":
            self._pods(event)
        if event.plural == "jobs" and event.type == "ADDED":
            self._job(event.raw)

    def on_write(self, call: Call, code: int) -> None:
        """Of the operator."""
        if not call.counts:
            return
        self.writes[call.plural] += 1
        hour = int(self.clock.seconds // 3600)
        self.hourly["writes", hour] += 1
        self.hourly["attempts", hour] += call.method == "POST" and call.plural == "jobs" and code == 200
        self._must(self.hourly["writes", hour] <= WRITES_AN_HOUR, f"{WRITES_AN_HOUR} writes within an hour")
        self._must(self.hourly["attempts", hour] <= ATTEMPTS_AN_HOUR, f"{ATTEMPTS_AN_HOUR} attempts within an hour")

    def _must(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.violated(otherwise)

    # Of the status

    def _status(self, raw: Raw, before: Raw) -> None:
        new, old = raw["status"], before["status"]
        if new == old:
            return
        for count in COUNTS:
            self._must(new.get(count, 0) >= old.get(count, 0), f"{count} fell to {new.get(count, 0)}")
        if is_finished(before):
            self._must(_ends(new) == _ends(old), "a finished TrainingJob changed its end")
        self._must(not (is_true(raw, "Complete") and is_true(raw, "Failed")), "Complete and Failed at once")
        states = [type for type in ("Ready", "Reconciling", "Stalled") if is_true(raw, type)]
        self._must(len(states) == 1, f"{states} at once")
        if is_true(raw, "Suspended"):
            self._must(not self._live(name_of(raw)), "Suspended while a pod is not over")
        self._messages(raw)
        self._truth(raw)

    def _messages(self, raw: Raw) -> None:
        for condition in raw["status"].get("conditions", []):
            if condition["status"] == "True" and condition["type"] in ("Stalled", "Failed"):
                self._must(bool(condition["message"]), f"{condition['type']}/{condition['reason']} without a message")

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
        if is_over(event.raw) or event.type == "DELETED":
            return
        name = training_job_of(event.raw)
        alive = self.kubelets.attempts_alive().get(name, set())
        self._must(len(alive) <= 1, f"pods of several attempts run at the same time: {sorted(alive)}")
        owner = self.api.get("trainingjobs", name)
        if event.type == "ADDED" and owner is not None:
            is_paused = is_true(owner, "Suspended") and bool(owner["spec"].get("suspend"))
            self._must(not is_paused, f"{name_of(event.raw)} begins while Suspended is True")
            self._must(not is_finished(owner), f"{name_of(event.raw)} begins although the TrainingJob is finished")

    def _job(self, raw: Raw) -> None:
        owner = self.api.get("trainingjobs", training_job_of(raw))
        if owner is not None:
            self._must(not is_finished(owner), f"{name_of(raw)} is made although the TrainingJob is finished")

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
        jobs = [job for job in self.api.objects("jobs") if not is_finished(job) and not is_true(job, "Suspended")]
        self._must(not jobs, f"{', '.join(name_of(job) for job in jobs)} may still run, {told}")


def _ends(status: Raw) -> list[tuple[str, str, str]]:
    return [(c["type"], c["status"], c["reason"]) for c in status["conditions"] if c["type"] in ("Complete", "Failed")]
