"""One life of a TrainingJob, from a seed: the same seed, the same life."""

import asyncio
import logging
import random
from dataclasses import replace
from unittest.mock import patch

from support.virtual_time import VirtualTime
from unit.operator.world.api import ApiServer, Event
from unit.operator.world.circumstances import Circumstances
from unit.operator.world.clock import Clock
from unit.operator.world.controllers import GarbageCollector, JobController
from unit.operator.world.faults import CALM, Network
from unit.operator.world.invariants import Invariants, ViolatedError
from unit.operator.world.kubelet import NODES, Kubelets, Start
from unit.operator.world.objects import Raw, is_finished, is_true, merged
from unit.operator.world.operator import Operator
from unit.operator.world.person import NAME, Person
from unit.operator.world.queue import Queue
from unit.operator.world.story import Story, StoryHandler
from unit.operator.world.trainer import Character

LONGEST = 6 * 3600.0
"""Seconds after which everything must have come to its end."""


class World:
    """Everything there is, wired together."""

    def __init__(self, seed: int, circumstances: Circumstances) -> None:
        self.seed, self.circumstances = seed, circumstances
        self.loop = VirtualTime()
        self.loop.set_exception_handler(lambda _, context: self._fail(context["exception"]))
        self.over: asyncio.Future[None] = self.loop.create_future()
        self.clock, self._settled_at = Clock(self.loop), 0
        self.rng, self._fates = self._stream("world"), self._stream("fates")
        self.story = Story(self.clock)
        self.api = ApiServer(self.clock)
        self.kubelets = Kubelets(
            self.api, self.clock, self._stream("kubelets"), self.story, self._next_start, self._next_character
        )
        self.jobs = JobController(self.api, self.clock, self._stream("jobs"), self.circumstances.quota)
        is_calm = self.circumstances.weather == CALM
        self.invariants = Invariants(self.api, self.clock, self.kubelets, self._violated, is_calm)
        on_act = self.invariants.on_act
        self.person = Person(
            self.api, self.clock, self._stream("person"), self.story, self.kubelets, self._spec(), on_act
        )
        self.operators: list[Operator] = []
        self._populate()

    def _populate(self) -> None:
        """Everybody who looks at what changes."""
        self.api.watchers += [
            self.story.on_event,
            self.invariants.on_event,
            self.jobs.on_event,
            GarbageCollector(self.api, self.clock, self._stream("garbage")).on_event,
            self.kubelets.on_event,
            self._show,
        ]
        if self.circumstances.has_queue:
            wait, evictions = self.rng.uniform(1, 300), self.rng.randint(0, 2)
            queue = Queue(self.api, self.clock, self._stream("queue"), self.story, wait, evictions)
            self.api.admission.append(queue.admit)
            self.api.watchers.append(queue.on_event)
        if self.circumstances.strips_annotations:
            self.api.admission.append(_without_annotations)

    def _stream(self, name: str) -> random.Random:
        """Each part's own, so that a change to one leaves the others' luck alone."""
        return random.Random(f"{self.seed} {name}")

    def _spec(self) -> dict[str, object]:
        drawn = {
            "nodes": self.rng.choice([1, 1, 2, 3]),
            "training__epochs": self.rng.randint(1, 6),
            "restart": {"maxRestarts": self.rng.randint(0, 3), "backoffSeconds": self.rng.choice([1, 10])},
            "deadlines": {"saveSeconds": self.rng.choice([5, 60]), "startSeconds": self.rng.choice([120, 600])},
        }
        return {**drawn, **self.circumstances.spec}

    # The way of a life

    async def live(self) -> None:
        until, actions = self.circumstances.seconds, self.circumstances.actions
        for node in NODES:
            self.api.create("nodes", {"metadata": {"name": node}, "status": {"conditions": [_READY]}})
        for number in range(self.circumstances.operators):
            self._start_operator(number)
        self.person.apply()
        for _ in range(self.rng.randint(0, self.circumstances.most_actions)):
            self.clock.after(self.rng.uniform(0, until), self.person.act, self.rng.choice(actions))
        if actions:
            self.clock.after(until + 45, self.person.act, self.rng.choice(["suspend", "resume", "resume"]))
        self.clock.after(until, self._calm_down)
        self.clock.after(30, self._time_passes)
        self.clock.after(until + 46, self._look)
        await self.over

    def _start_operator(self, number: int) -> None:
        is_rough = self.clock.seconds < self.circumstances.seconds
        network = Network(
            self.api,
            self.clock,
            self._stream(f"network {number} {self.clock.seconds}"),
            self.story,
            self.circumstances.weather if is_rough else CALM,
            lambda: self._crash(operator, number),
            self.invariants.on_write,
            self.invariants.on_refusal,
            self.circumstances.outages,
            {"jobs": self.circumstances.refuses_jobs_until},
        )
        operator = Operator(
            self.clock,
            network,
            self.kubelets.progress,
            self.kubelets.history,
            self._defect,
            self.invariants.on_pass,
        )
        self.operators.append(operator)
        operator.start()

    def _crash(self, operator: Operator, number: int) -> None:
        operator.kill()
        self.operators.remove(operator)
        self.clock.after(self.rng.uniform(0.5, 30), self._start_operator, number)

    def _time_passes(self) -> None:
        self.invariants.on_time()
        self.clock.after(30, self._time_passes)

    def _calm_down(self) -> None:
        self.jobs.quota = 100
        for operator in self.operators:
            operator.network.weather = CALM

    def _look(self) -> None:
        """Wait until nothing changes any more; then another operator finds nothing to do either."""
        raw = self.api.get("trainingjobs", NAME)
        is_settled = (raw is None or _is_settled(raw)) and self._settled_at == self.api.version
        self._settled_at = self.api.version
        if not is_settled and self.clock.seconds < LONGEST:
            self.clock.after(200, self._look)
            return
        self.invariants.in_the_end(NAME)
        for operator in list(self.operators):
            self._crash(operator, self.operators.index(operator))
        self.clock.after(200, self._look_once_more)

    def _look_once_more(self) -> None:
        if self.api.version != self._settled_at:
            self._violated("an operator that starts anew over what is settled writes")
        if not self.over.done():
            self.over.set_result(None)

    def _show(self, event: Event) -> None:
        for operator in self.operators:
            operator.on_event(event)

    def _next_start(self) -> Start:
        return self._fates.choice(self.circumstances.starts)

    def _next_character(self) -> Character:
        character, fates = self._fates.choice(self.circumstances.characters), self.circumstances.fates
        if not fates or self._fates.random() < 0.5 or self.clock.seconds > self.circumstances.seconds:
            return character
        return replace(character, fate=(self._fates.choice(fates), self._fates.uniform(0, 20)))

    # What goes wrong

    def _violated(self, what: str) -> None:
        self.story.tell("INVARIANT", what)
        self._fail(ViolatedError(what))

    def _defect(self, defect: BaseException) -> None:
        self.story.tell("operator", f"raises {type(defect).__name__}: {defect}")
        self._fail(defect)

    def _fail(self, error: BaseException) -> None:
        if not self.over.done():
            self.over.set_exception(error)


def _without_annotations(plural: str, raw: Raw, before: Raw | None) -> Raw:
    return merged(raw, {"metadata": {"annotations": None}}) if plural == "jobs" else raw


def _is_settled(raw: Raw) -> bool:
    return is_finished(raw) or (bool(raw["spec"].get("suspend")) and is_true(raw, "Suspended"))


_READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-31T12:00:00Z"}


def live(seed: int, circumstances: Circumstances) -> World:
    """Live it to its end; ViolatedError with the seed and the story when an invariant does not hold."""
    world, luck, logger = World(seed, circumstances), random.getstate(), logging.getLogger("training_operator")
    handler = StoryHandler(world.story)
    logger.addHandler(handler)
    logger.propagate = False
    random.seed(seed)
    try:
        with patch("time.monotonic", world.loop.time):
            world.loop.run_until_complete(world.live())
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        raise ViolatedError(f"seed {seed}: {words}\n{world.story.text()}") from error
    finally:
        _close(world)
        logger.removeHandler(handler)
        logger.propagate = True
        random.setstate(luck)
    return world


def _close(world: World) -> None:
    for operator in world.operators:
        operator.kill()
    pending = asyncio.all_tasks(world.loop)
    for task in pending:
        task.cancel()
    if pending:
        world.loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    world.loop.close()
