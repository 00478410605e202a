"""What a person does to a TrainingJob, with kubectl and at any moment."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from support.manifests import manifest
from unit.operator.world.api import ApiServer, RefusalError
from unit.operator.world.clock import Clock
from unit.operator.world.kubelet import Kubelets
from unit.operator.world.objects import NAMESPACE, Raw, is_finished, is_going, is_over, name_of
from unit.operator.world.story import Story

NAME = "digits"


@dataclass
class Person:
    """Applies, suspends, resumes, edits, deletes; and a hand that slips now and then."""

    api: ApiServer
    clock: Clock
    rng: random.Random
    story: Story
    kubelets: Kubelets
    spec: dict[str, object]
    on_act: Callable[[str], None]

    def apply(self) -> None:
        if self.api.get("trainingjobs", NAME) is not None:
            self.clock.after(1, self.apply)  # still going
            return
        raw = manifest(NAME, **self.spec)
        raw["metadata"]["namespace"] = NAMESPACE
        self.story.tell("person", "applies the TrainingJob")
        self.api.create("trainingjobs", raw)

    def act(self, action: str) -> None:
        """One of ACTIONS; nothing when there is nothing to do it to."""
        self.on_act(action)
        try:
            ACTIONS[action](self)
        except RefusalError as refusal:
            self.story.tell("person", f"{action}: {refusal}")

    def _edit(self, what: str, spec: Raw) -> None:
        self.story.tell("person", what)
        self.api.change("trainingjobs", NAME, {"spec": spec})

    def suspend(self) -> None:
        self._edit("suspends", {"suspend": True})

    def resume(self) -> None:
        self._edit("resumes", {"suspend": False})

    def toggle(self) -> None:
        """Off and on again, faster than anybody can follow."""
        self.suspend()
        self.clock.after(self.rng.uniform(0.05, 3), self.act, "resume")

    def edit(self) -> None:
        """More epochs may be asked for at any time."""
        raw = self.api.get("trainingjobs", NAME)
        if raw is not None:
            epochs = raw["spec"]["training"]["epochs"] + 1
            self._edit(f"asks for {epochs} epochs", {"training": {"epochs": epochs}})

    def annotate(self) -> None:
        self.story.tell("person", "annotates the TrainingJob")
        self.api.change("trainingjobs", NAME, {"metadata": {"annotations": {"note": self.clock.stamp()}}})

    def delete(self) -> None:
        self.story.tell("person", "deletes the TrainingJob")
        self.api.delete("trainingjobs", NAME)

    def recreate(self) -> None:
        policy = self.rng.choice(["Background", "Background", "Foreground"])
        self.story.tell("person", f"deletes the TrainingJob ({policy}) and applies it again")
        self.api.delete("trainingjobs", NAME, policy=policy)
        self.clock.after(self.rng.choice([0.0, 0.1, 2.0, 30.0]), self.apply)

    def delete_job(self) -> None:
        self._delete_job("Background")

    def orphan_pods(self) -> None:
        self._delete_job("Orphan")

    def _delete_job(self, policy: str) -> None:
        jobs = [job for job in self.api.objects("jobs") if not is_going(job)]
        if jobs:
            self.story.tell("person", f"deletes {name_of(jobs[-1])} ({policy})")
            self.api.delete("jobs", name_of(jobs[-1]), policy=policy)

    def prune(self) -> None:
        """A tool that does not know what Jobs are for deletes every one of them, for five minutes."""
        for number in range(100):
            self.clock.after(3.0 * number, self._prune)

    def _prune(self) -> None:
        for job in self.api.objects("jobs"):
            if not is_going(job):
                self.api.delete("jobs", name_of(job))

    def revive_job(self) -> None:
        for job in self.api.objects("jobs"):
            if job["spec"].get("suspend") and not is_going(job):
                self._unsuspend_job(name_of(job))

    def suspend_job(self) -> None:
        jobs = [job for job in self.api.objects("jobs") if not is_going(job)]
        if jobs:
            self.story.tell("person", f"suspends {name_of(jobs[-1])} itself")
            self.api.change("jobs", name_of(jobs[-1]), {"spec": {"suspend": True}})
            self.clock.after(self.rng.uniform(5, 100), self._unsuspend_job, name_of(jobs[-1]))

    def _unsuspend_job(self, name: str) -> None:
        job = self.api.get("jobs", name)
        if job is not None and not is_finished(job):
            self.story.tell("person", f"unsuspends {name}")
            self.api.change("jobs", name, {"spec": {"suspend": False}})

    def _some_pod(self) -> Raw | None:
        pods = [pod for pod in self.api.objects("pods") if not is_over(pod) and not is_going(pod)]
        return self.rng.choice(pods) if pods else None

    def delete_pod(self) -> None:
        if pod := self._some_pod():
            self.story.tell("person", f"deletes {name_of(pod)}")
            self.api.delete("pods", name_of(pod))

    def drain(self) -> None:
        if pod := self._some_pod():
            reason = self.rng.choice(["EvictionByEvictionAPI", "PreemptionByScheduler"])
            self.story.tell("cluster", f"disrupts {name_of(pod)}: {reason}")
            self.kubelets.disrupt(pod, reason)

    def run_out_of_memory(self) -> None:
        if pod := self._some_pod():
            self.story.tell("cluster", f"kills {name_of(pod)} for its memory")
            self.kubelets.kill(pod)

    def evict(self) -> None:
        if pod := self._some_pod():
            self.story.tell("cluster", f"evicts {name_of(pod)} for what it used itself")
            self.kubelets.evict(pod, 'Usage of EmptyDir volume "tmp" exceeds the limit "1Gi".')

    def lose_node(self) -> None:
        pod = self._some_pod()
        if pod is None or not pod["spec"].get("nodeName"):
            return
        node = pod["spec"]["nodeName"]
        self.story.tell("cluster", f"loses {node}")
        self.kubelets.lose(node)
        self.clock.after(self.rng.uniform(5, 400), self._end_loss, node)

    def _end_loss(self, node: str) -> None:
        how = self.rng.choice(["back", "rebooted", "deleted"])
        self.story.tell("cluster", f"{node} is {how}")
        if how == "deleted" and self.api.get("nodes", node) is not None:
            self.kubelets.remove(node)
        else:
            self.kubelets.find(node, rebooted=how == "rebooted")


ACTIONS: dict[str, Callable[[Person], None]] = {
    "suspend": Person.suspend,
    "resume": Person.resume,
    "toggle": Person.toggle,
    "edit": Person.edit,
    "annotate": Person.annotate,
    "recreate": Person.recreate,
    "delete": Person.delete,
    "delete job": Person.delete_job,
    "orphan pods": Person.orphan_pods,
    "suspend job": Person.suspend_job,
    "revive job": Person.revive_job,
    "prune": Person.prune,
    "delete pod": Person.delete_pod,
    "drain": Person.drain,
    "out of memory": Person.run_out_of_memory,
    "evict": Person.evict,
    "lose node": Person.lose_node,
}
