"""The life of one container: start it once everything that it needs is there, watch it, stop it when the pod is to
end, start it again where the pod's policy says so. It begins with what an earlier node program left running."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from local_cluster.node import launching, probes, quantities
from local_cluster.node.board import Board
from local_cluster.node.context import Context
from local_cluster.node.images import Image
from local_cluster.node.instance import Instance, Launch
from local_cluster.node.launching import Surroundings
from local_cluster.node.models import Container, RestartPolicy
from local_cluster.node.runs import ContainerRuns
from local_cluster.node.sources import NotReadyError
from local_cluster.node.status import State, Terminated, Waiting
from local_cluster.node.stopping import Stop, Stopped, ends_first

Result = TypeVar("Result")
_FIRST_RETRY, _LAST_RETRY = 0.25, 10.0
_LONGEST_BACK_OFF = 30.0


class Runner:
    def __init__(
        self,
        container: Container,
        policy: RestartPolicy,
        runs: ContainerRuns,
        surroundings: Surroundings,
        context: Context,
        board: Board,
        stop: Stop,
    ) -> None:
        self._container = container
        self._policy = policy
        self._runs = runs
        self._surroundings = surroundings
        self._context = context
        self._board = board
        self._stop = stop

    async def run(self) -> None:
        """Until the container has ended for good."""
        with contextlib.suppress(Stopped):
            earlier = self._runs.all()
            instance = earlier[-1] if earlier else await self._start()
            while True:
                end = await self._supervise(instance)
                if self._stop.is_requested or not self._runs_again(end):
                    return
                await self._back_off(end)
                instance = await self._start()

    async def _start(self) -> Instance:
        image = await self._patiently(self._image)
        variables = await self._patiently(self._variables)
        instance = self._runs.new()
        instance.start(await self._patiently(lambda: self._launch(image, variables, instance)))
        return instance

    async def _image(self) -> Image:
        return launching.find_image(self._container, self._context)

    async def _variables(self) -> dict[str, str]:
        return await launching.resolve(self._container, self._surroundings, self._context)

    async def _launch(self, image: Image, variables: dict[str, str], instance: Instance) -> Launch:
        try:
            return launching.launch(self._container, image, variables, self._surroundings, self._context, instance)
        except OSError as error:  # a folder that cannot be made
            raise NotReadyError("CreateContainerError", str(error)) from error

    async def _supervise(self, instance: Instance) -> Terminated:
        if facts := self._runs.facts(self._container):
            self._board.set(self._container.name, facts)
        ended = asyncio.ensure_future(instance.wait())
        async with self._watched(instance):
            if not await ends_first(ended, self._stop.requested()):
                instance.terminate()
                if not await ends_first(ended, self._stop.expired()):
                    instance.kill()
            end = await ended
        self._change(state=end, ready=False)
        return end

    @contextlib.asynccontextmanager
    async def _watched(self, instance: Instance) -> AsyncIterator[None]:
        """Memory and readiness are looked at while the container runs."""
        if limit := self._container.limits.get("memory"):
            self._context.memory.add(instance, int(quantities.parse(limit)))
        probing = asyncio.ensure_future(self._probe(instance)) if self._container.readiness else None
        try:
            yield
        finally:
            self._context.memory.remove(instance)
            if probing:
                probing.cancel()

    async def _probe(self, instance: Instance) -> None:
        assert self._container.readiness
        launch = instance.launched()
        fields, name = self._surroundings.fields, self._container.name
        await probes.watch_readiness(
            self._container.readiness,
            fields.address,
            launch.environment,
            launch.directory,
            lambda ready: self._board.set_ready(name, ready),
        )

    def _runs_again(self, end: Terminated) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and end.code != 0)

    async def _back_off(self, end: Terminated) -> None:
        """The first restart comes at once, the next after 1 s, 2 s, 4 s and so on."""
        facts = self._board.of(self._container.name)
        if not facts.restarts:
            return
        delay = min(_LONGEST_BACK_OFF, 2.0 ** (facts.restarts - 1))
        message = f"back-off {delay:.0f}s restarting failed container={self._container.name}"
        self._change(state=Waiting("CrashLoopBackOff", message), last=end)
        await self._stop.unless(asyncio.sleep(delay))

    def _change(self, **changes: State | bool) -> None:
        facts = dataclasses.replace(self._board.of(self._container.name), **changes)  # type: ignore[arg-type]
        self._board.set(self._container.name, facts)

    async def _patiently(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Try until it works, saying meanwhile what is missing. Stopped when the pod is to end."""
        return await self._stop.unless(patiently(attempt, self._tell))

    def _tell(self, reason: str, message: str) -> None:
        self._change(state=Waiting(reason, message))
        self._context.events.warn(self._surroundings.fields.pod, "Failed", message)


async def patiently(attempt: Callable[[], Awaitable[Result]], tell: Callable[[str, str], None]) -> Result:
    """Try again with growing pauses; each failure is told with its reason and message."""
    pause, again = _FIRST_RETRY, False
    while True:
        try:
            return await attempt()
        except NotReadyError as problem:
            tell(problem.later if again else problem.reason, problem.message)
        await asyncio.sleep(pause)
        pause, again = min(_LAST_RETRY, pause * 2), True
