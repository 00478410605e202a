"""What a start makes, where several gateways do so at once."""

import asyncio
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import pytest

from training_gateway.gate import User
from training_gateway.identity import TaskIds, is_task_id, task_id_of
from training_gateway.services import Services
from training_gateway.settings import Settings
from training_gateway.start_request import StartRequest
from training_gateway.starting import Start
from training_gateway.store import JobStore
from trainingjob_client.api import Api, Raw
from trainingjob_client.errors import AlreadyExistsError, UnavailableError
from trainingjob_client.resources import Resource

_NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Server:
    """TrainingJobs of all namespaces, in memory. Every request lets others go first."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Raw] = {}
        self.uids = count(1)
        self.is_away = False

    async def create(self, resource: Resource, manifest: Raw, namespace: str, *, dry_run: bool = False) -> Raw:
        await asyncio.sleep(0)
        key = (namespace, manifest["metadata"]["name"])
        if key in self.objects:
            raise AlreadyExistsError("it is there")
        made = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace, "uid": str(next(self.uids))}}
        if not dry_run:
            self.objects[key] = made
        return made

    async def list(self, resource: Resource, namespace: str | None = None, *, labels: str = "") -> Raw:
        await asyncio.sleep(0)
        if self.is_away:
            raise UnavailableError("it is away")
        name, _, value = labels.partition("=")
        return {"items": [raw for raw in self.objects.values() if raw["metadata"]["labels"].get(name) == value]}

    async def patch(self, resource: Resource, name: str, change: Raw, namespace: str) -> Raw:
        await asyncio.sleep(0)
        metadata = self.objects[namespace, name]["metadata"]
        assert change["metadata"]["uid"] == metadata["uid"]
        metadata["labels"] = {**metadata["labels"], **change["metadata"]["labels"]}
        return self.objects[namespace, name]


def start(server: Server, namespace: str, ids: TaskIds | None = None, **options: Any) -> Start:
    """By a gateway of its own, all of which have the same clock."""
    nothing = cast("Any", None)
    task_ids = ids or TaskIds(lambda: _NOON)
    services = Services(Settings(), cast(Api, server), nothing, JobStore(), nothing, nothing, task_ids)
    return Start(services, User("ada"), namespace, StartRequest(name="x"), {}, **options)


@pytest.mark.parametrize("key", ["", "the same for all"])
async def test_an_id_is_given_once_by_all_gateways_together(key: str) -> None:
    server = Server()
    jobs = await asyncio.gather(*(start(server, f"team-{number}", key=key).run() for number in range(20)))
    ids = [task_id_of(job) for job in jobs]
    assert all(is_task_id(each) for each in ids)
    assert len(set(ids)) == 20
    assert sorted(ids) == sorted(
        raw["metadata"]["labels"]["trainingjob.dev/task-id"] for raw in server.objects.values()
    )


async def test_in_one_namespace_they_count_on() -> None:
    server = Server()
    jobs = await asyncio.gather(*(start(server, "team").run() for _ in range(5)))
    assert sorted(task_id_of(job) for job in jobs) == [f"epoch_training_20260131_12000{second}" for second in range(5)]


async def test_a_trial_makes_nothing_and_one_that_was_made_is_told_of() -> None:
    server = Server()
    assert task_id_of(await start(server, "team", dry_run=True).run()) == "epoch_training_20260131_120000"
    assert server.objects == {}
    server.is_away = True
    assert (await start(server, "team").run()).uid == "2"
