"""The measurements: from apply to pods, many at once, a pause and a resume."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.operator.arms import OURS, Arm, has_failed, has_succeeded
from tests.bench.operator.cost import Writes, cpu_seconds, resident_megabytes, without_events
from tests.bench.operator.watching import Eyes

from local_cluster.cluster import LocalCluster
from local_cluster.node.api import Api, ApiError

AT_ONCE = 16
"""Requests that create objects at the same time."""
QUIET = 0.05
"""Seconds of CPU within a second below which a controller counts as idle."""
ENDLESS = 100_000.0


@dataclass(frozen=True)
class Burst:
    """Many at once, per object."""

    arm: str
    nodes: int
    seconds: float
    """From the first request until the last has completed."""
    own_cpu_ms: float
    controllers_cpu_ms: float
    """kube-controller-manager's."""
    writes: float
    events: float
    resident_kb: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Bench:
    cluster: LocalCluster
    api: Api
    operator: int
    """Its pid."""

    @property
    def controllers(self) -> int:
        return self.cluster.running()["kube-controller-manager"].pid

    async def latencies(self, arm: Arm, nodes: int, rounds: int) -> list[float]:
        """Milliseconds from the request until all pods exist, one object after the other."""
        async with self._namespace(arm) as (namespace, eyes):
            found = []
            for number in range(rounds):
                name = f"one-{number}"
                began = await self._create(arm, namespace, name, nodes, 0.5)
                pods = eyes.pods[arm.job_of(name)]
                there = await eyes.until(lambda pods=pods: len(pods) >= nodes, f"{nodes} pods of {name}")  # type: ignore[misc]
                found.append((there - began) * 1000)
                await eyes.until(lambda name=name: has_succeeded(eyes.objects.get(name, {})), f"the end of {name}")  # type: ignore[misc]
            return found

    async def burst(self, arm: Arm, nodes: int, count: int) -> Burst:
        async with self._namespace(arm) as (namespace, eyes):
            await self._until_idle()
            before = self._costs()
            began = time.monotonic()
            await self._create_many(arm, namespace, count, nodes)
            ended = await eyes.until(lambda: _all_succeeded(eyes, count), f"{count} ends of {arm.name}")
            await self._until_idle()
            own, controllers, resident = (after - b for after, b in zip(self._costs(), before, strict=True))
            writes = Writes(self.cluster.audit_log, namespace)()
        return Burst(
            arm=arm.name,
            nodes=nodes,
            seconds=ended - began,
            own_cpu_ms=own / count * 1000,
            controllers_cpu_ms=controllers / count * 1000,
            writes=without_events(writes) / count,
            events=(writes.total() - without_events(writes)) / count,
            resident_kb=resident / count * 1024,
        )

    async def pause_and_resume(self) -> tuple[Counter[str], Counter[str]]:
        """The operator's writes for each."""
        async with self._namespace(OURS) as (namespace, eyes):
            writes = Writes(self.cluster.audit_log, namespace)
            await self._create(OURS, namespace, "job", 1, ENDLESS)
            started = await self._until_steady(eyes, writes, "Running")
            await self._suspend(namespace, True)
            paused = await self._until_steady(eyes, writes, "Suspended")
            await self._suspend(namespace, False)
            resumed = await self._until_steady(eyes, writes, "Running")
            return paused - started, resumed - paused

    async def _until_steady(self, eyes: Eyes, writes: Writes, condition: str) -> Counter[str]:
        """Until it is true and the operator has nothing left to write."""

        def holds() -> bool:
            conditions = eyes.objects.get("job", {}).get("status", {}).get("conditions", ())
            return any(one["type"] == condition and one["status"] == "True" for one in conditions)

        await eyes.until(holds, condition)
        await asyncio.sleep(2)
        return writes()

    async def _suspend(self, namespace: str, wish: bool) -> None:
        patch = {"spec": {"suspend": wish}}
        await self.api.patch(f"{OURS.path(namespace)}/job", patch, "application/merge-patch+json")

    async def _create(self, arm: Arm, namespace: str, name: str, nodes: int, seconds: float) -> float:
        """When the request was sent."""
        manifest = arm.make(name, nodes, seconds)
        began = time.monotonic()
        await self.api.post(arm.path(namespace), manifest)
        return began

    async def _create_many(self, arm: Arm, namespace: str, count: int, nodes: int) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def create(number: int) -> None:
            async with slots:
                await self._create(arm, namespace, f"many-{number:03}", nodes, 1.0)

        await asyncio.gather(*(create(number) for number in range(count)))

    def _costs(self) -> tuple[float, float, float]:
        return cpu_seconds(self.operator), cpu_seconds(self.controllers), resident_megabytes(self.operator)

    async def _until_idle(self) -> None:
        """Neither controller does anything, or both have had half a minute."""
        for _ in range(30):
            before = self._costs()
            await asyncio.sleep(1)
            if all(after - b < QUIET for after, b in list(zip(self._costs(), before, strict=True))[:2]):
                return

    @asynccontextmanager
    async def _namespace(self, arm: Arm) -> AsyncIterator[tuple[str, Eyes]]:
        """A new one, with what pods need, and somebody who looks."""
        name, eyes = f"bench-{uuid.uuid4().hex[:8]}", Eyes()
        await self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        await self._until_there(f"/api/v1/namespaces/{name}/serviceaccounts/default")
        await self._shared_volume(name)
        looking = [
            asyncio.create_task(eyes.watch_pods(self.api, name)),
            asyncio.create_task(eyes.watch_objects(self.api, arm.path(name))),
        ]
        try:
            yield name, eyes
        finally:
            for task in looking:
                task.cancel()

    async def _until_there(self, path: str) -> None:
        for _ in range(600):
            try:
                await self.api.get(path)
                return
            except ApiError:
                await asyncio.sleep(0.1)
        raise TimeoutError(path)

    async def _shared_volume(self, namespace: str) -> None:
        """A claim that is bound: nobody here makes volumes."""
        size, modes = {"storage": "1Gi"}, ["ReadWriteMany"]
        claim = {"accessModes": modes, "resources": {"requests": size}, "storageClassName": "", "volumeName": namespace}
        volume = {"accessModes": modes, "capacity": size, "hostPath": {"path": "/nowhere"}, "storageClassName": ""}
        await self.api.post("/api/v1/persistentvolumes", {"metadata": {"name": namespace}, "spec": volume})
        claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
        await self.api.post(claims, {"metadata": {"name": "shared"}, "spec": claim})
        for _ in range(600):
            if (await self.api.get(f"{claims}/shared"))["status"].get("phase") == "Bound":
                return
            await asyncio.sleep(0.1)
        raise TimeoutError("a bound claim")


def _all_succeeded(eyes: Eyes, count: int) -> bool:
    failed = [name for name, raw in eyes.objects.items() if has_failed(raw)]
    if failed:
        raise RuntimeError(f"{failed[0]} has failed: {eyes.objects[failed[0]]['status']}")
    return sum(map(has_succeeded, eyes.objects.values())) == count
