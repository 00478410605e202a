"""A queue as Kueue is one: its webhook suspends every Job, and its controller admits and evicts them."""

import random
from dataclasses import dataclass, field

from unit.operator.world.api import ApiServer, Event
from unit.operator.world.clock import Clock
from unit.operator.world.objects import Raw, is_finished, is_going, merged, name_of, uid_of
from unit.operator.world.story import Story

QUEUE = {"kueue.x-k8s.io/queue-name": "default"}


@dataclass
class Queue:
    """Admits after a while; sometimes takes back what it gave."""

    api: ApiServer
    clock: Clock
    rng: random.Random
    story: Story
    wait_seconds: float
    evictions: int = 0
    """How often a running Job has to make room."""
    _admitted: set[str] = field(default_factory=set)

    def admit(self, plural: str, raw: Raw, before: Raw | None) -> Raw:
        """The webhook."""
        if plural != "jobs" or before is not None:
            return raw
        return merged(raw, {"metadata": {"labels": QUEUE}, "spec": {"suspend": True}})

    def on_event(self, event: Event) -> None:
        if event.plural != "jobs" or event.type == "DELETED":
            return
        uid = uid_of(event.raw)
        if event.type == "ADDED":
            self.clock.after(self.rng.uniform(0.2, 1) * self.wait_seconds, self._let_in, uid)
        elif uid in self._admitted and event.raw["spec"].get("suspend"):
            # Whoever suspends an admitted Job finds it running again.
            self.clock.after(self.rng.uniform(0.1, 1), self._unsuspend, uid)

    def _let_in(self, uid: str) -> None:
        self._admitted.add(uid)
        self._unsuspend(uid)
        if self.evictions > 0:
            self.evictions -= 1
            self.clock.after(self.rng.uniform(2, 40), self._evict, uid)

    def _evict(self, uid: str) -> None:
        self._admitted.discard(uid)
        self._set(uid, True)
        self.clock.after(self.rng.uniform(0.5, 1) * self.wait_seconds, self._let_in, uid)

    def _unsuspend(self, uid: str) -> None:
        if uid in self._admitted:
            self._set(uid, False)

    def _set(self, uid: str, suspend: bool) -> None:
        job = self.api.by_uid("jobs", uid)
        if job is None or is_finished(job) or is_going(job) or job["spec"].get("suspend", False) == suspend:
            return
        self.story.tell("queue", f"{'evicts' if suspend else 'admits'} {name_of(job)}")
        self.api.change("jobs", name_of(job), {"spec": {"suspend": suspend}})
