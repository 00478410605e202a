"""What must hold after every single change, and what must be so in the end."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from unit.operator.world.api import ApiServer, Event
from unit.operator.world.clock import Clock
from unit.operator.world.endpoint import Call
from unit.operator.world.histories import unlike, untold
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
)
from unit.operator.world.statuses import broken_rules
from unit.operator.world.truth import untruths

ATTEMPTS_AN_HOUR = 120
WRITES_AN_HOUR = 800
HISTORIES_A_MINUTE = 15
"""Each attempt may end, and there are as many as attempts."""
PASSES_A_MINUTE = 300
PATIENCE = 120.0
"""Seconds after which the operator must know of what has happened, whatever got lost."""


class ViolatedError(AssertionError):
    """The operator did what it must never do."""


@dataclass
class Invariants:
    """Looks at every change of the cluster and at every write of the operator."""

    api: ApiServer
    clock: Clock
    kubelets: Kubelets
    violated: Callable[[str], None]
    is_calm: bool
    """The operator sees everything at once."""
    writes: Counter[str] = field(default_factory=Counter)
    _lately: Counter[tuple[str, int]] = field(default_factory=Counter)
    _has_cause: bool = True
    """Something has happened since the last attempt began that another may follow from."""
    _was_bad: bool = False
    """A pod has ended as no request explains."""
    _was_revived: bool = False
    """Somebody else lets a paused Job run."""
    _restless: float = 0.0
    """For how many seconds something has run that should not."""
    _last_edit: float = 0.0
    _last_run: float = 0.0
    """When a container was seen to run."""
    _refused_since: float | None = None

    def _must(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.violated(otherwise)

    def _must_all(self, broken: Iterable[str]) -> None:
        for sentence in broken:
            self.violated(sentence)

    # What is looked at

    def on_act(self, action: str) -> None:
        """A person, or the cluster in a bad mood."""
        self._has_cause = True
        self._was_revived = self._was_revived or action == "revive job"

    def on_event(self, event: Event) -> None:
        before = event.before
        if self.kubelets.running():
            self._last_run = self.clock.seconds
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
            case "traininghistories" if event.type != "DELETED":
                self._must_all(untold(event.raw, self.kubelets))
                self._count("histories", 60, HISTORIES_A_MINUTE)

    def on_time(self) -> None:
        """Every half minute."""
        is_heard = self.clock.seconds - self._last_edit > PATIENCE
        rests = [
            raw
            for raw in self.api.objects("trainingjobs")
            if is_true(raw, "Suspended") or is_finished(raw) or (is_heard and raw["spec"].get("suspend"))
        ]
        runs = any(not is_going(pod) for raw in rests for pod in self._live(name_of(raw)))
        self._restless = self._restless + 30 if runs else 0
        self._must(self._restless <= PATIENCE, f"pods have run for {PATIENCE:.0f} s although it is to rest")

    def on_pass(self) -> None:
        self._count("passes", 60, PASSES_A_MINUTE)

    def on_write(self, call: Call, code: int) -> None:
        """Of the operator."""
        if not call.counts:
            return
        self.writes[call.plural] += 1
        self._count("writes", 3600, WRITES_AN_HOUR)
        if call.plural == "jobs" and call.method == "POST" and code == 200:
            self._count("attempts", 3600, ATTEMPTS_AN_HOUR)
        if call.plural == "jobs" and call.method in ("PATCH", "DELETE") and code == 200:
            self._stop(call.name)

    def on_refusal(self, plural: str) -> None:
        """The operator cannot create what it wants to."""
        if self._refused_since is None:
            self._refused_since = self.clock.seconds
        is_told = any(is_true(raw, "Stalled") for raw in self.api.objects("trainingjobs"))
        is_long = self.clock.seconds - self._refused_since > PATIENCE
        self._must(is_told or not is_long, f"creating {plural} has failed for {PATIENCE:.0f} s, and nobody is told")

    def _count(self, what: str, seconds: int, limit: int) -> None:
        span = what, int(self.clock.seconds // seconds)
        self._lately[span] += 1
        self._must(self._lately[span] <= limit, f"more than {limit} {what} within {seconds} s")

    # What must hold

    def _status(self, raw: Raw, before: Raw) -> None:
        self._must_all([*broken_rules(raw, before), *untruths(raw, self.kubelets)])
        if self.is_calm and not self.kubelets.lost:
            evidence = _evidence(raw)
            self._must(evidence in (None, "PodReport"), f"nobody was away, and yet the evidence is {evidence}")
        if raw["status"].get("attempt", 0) > before["status"].get("attempt", 0):
            self._must(self._has_cause, "another attempt begins, though nothing has happened to the one before")
            self._has_cause = False
        is_explained = self._was_bad or "DeadlineExceeded" in reason_of(raw, "Failed")
        self._must(is_explained or not is_true(raw, "Failed"), "Failed, though no pod has ended badly")
        self._must(reason_of(raw, "Stalled") != "NameTaken", "NameTaken, though there is nobody else")
        self._must(not is_true(raw, "Suspended") or not self._live(name_of(raw)), "Suspended while a pod is not over")
        has_run = self.clock.seconds - self._last_run < PATIENCE
        self._must(has_run or not is_true(raw, "Running"), f"Running, though nothing has run for {PATIENCE:.0f} s")

    def _live(self, name: str) -> list[Raw]:
        return [pod for pod in self.api.objects("pods") if training_job_of(pod) == name and not is_over(pod)]

    def _pods(self, event: Event) -> None:
        pod = event.raw
        if pod["status"].get("phase") == "Failed" or event.type == "DELETED":
            self._has_cause = True
            self._was_bad = self._was_bad or _ended_badly(pod)
            return
        name = training_job_of(pod)
        alive = sorted(training.name for training in self.kubelets.trainings_alive(name))
        self._must(len(alive) <= 1, f"{alive} train at the same time")
        owner = self.api.get("trainingjobs", name)
        if event.type == "ADDED" and owner is not None and not self._was_revived:
            self._must(not is_true(owner, "Suspended"), f"{name_of(pod)} begins while Suspended is True")
            self._must(not is_finished(owner), f"{name_of(pod)} begins although the TrainingJob is finished")

    def _jobs(self, event: Event) -> None:
        if event.type == "DELETED" and not event.by_operator:
            self._has_cause = True
        if event.type == "ADDED":
            owner = self.api.get("trainingjobs", training_job_of(event.raw))
            words = f"{name_of(event.raw)} is made although the TrainingJob is finished"
            self._must(owner is None or not is_finished(owner), words)
            self._refused_since = None

    def _stop(self, name: str) -> None:
        """The operator has suspended or deleted a Job."""
        training = next((t for t in self.kubelets.trainings.values() if t.name == name and t.is_stepping), None)
        owner = self.api.by_uid("trainingjobs", training.run["uid"]) if training else None
        if owner is None or self._was_revived or self.clock.seconds - self._last_edit < PATIENCE:
            return
        is_pausing = owner["status"].get("pause", {}).get("resourcesReleased") is False
        is_asked = owner["spec"].get("suspend") or is_pausing or "totalSeconds" in owner["spec"]["deadlines"]
        self._must(bool(is_asked), f"{name} is stopped, though it trains and nobody asked")

    # In the end

    def in_the_end(self, name: str) -> None:
        """Nothing disturbs any more, and time enough has passed."""
        raw = self.api.get("trainingjobs", name)
        if raw is not None:
            self._wish_is_fulfilled(raw)
            if self.is_calm and not self.kubelets.lost:
                self._must_all(unlike(raw, self.api.get("traininghistories", name), self.kubelets))
        phase = raw["status"].get("phase") if raw else "gone"
        self._must(not self._live(name), f"a pod is left: {phase}")
        jobs = [job for job in self.api.objects("jobs") if not is_finished(job) and not is_going(job)]
        may_run = [name_of(job) for job in jobs if not is_true(job, "Suspended") or _is_queued(job)]
        self._must(not may_run, f"{may_run} may still run: {phase}")
        if raw is None or (is_finished(raw) and "ttlSecondsAfterFinished" in raw["spec"]):
            left = [name_of(o) for kind in ("jobs", "pods", "services") for o in self.api.objects(kind)]
            self._must(not left, f"{left} are left")

    def _wish_is_fulfilled(self, raw: Raw) -> None:
        status = raw["status"]
        wants_pause = bool(raw["spec"].get("suspend")) and not is_finished(raw)
        self._must(not wants_pause or is_true(raw, "Suspended"), f"a pause never ended: {status.get('phase')}")
        self._must(wants_pause or is_finished(raw), f"the training never ended: {status.get('phase')}")
        is_seen = status.get("observedGeneration") == raw["metadata"]["generation"]
        self._must(is_seen or is_finished(raw), "the last edit was not seen")


def _evidence(raw: Raw) -> str | None:
    """Of the failure of the attempt that status counts."""
    failure = raw["status"].get("lastFailure", {})
    is_about = failure.get("attempt") == raw["status"].get("attempt")
    return str(failure.get("evidence")) if is_about and "exitCode" in failure else None


def _ended_badly(pod: Raw) -> bool:
    """Neither in good order nor because somebody asked it to."""
    if pod["status"].get("reason"):
        return True
    ended = [c["state"]["terminated"] for c in pod["status"].get("containerStatuses", []) if "terminated" in c["state"]]
    return any(end["exitCode"] not in (0, 43, 48, 143) for end in ended)


def _is_queued(job: Raw) -> bool:
    return "kueue.x-k8s.io/queue-name" in job["metadata"]["labels"]
