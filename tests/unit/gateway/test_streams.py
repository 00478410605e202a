"""What clients of event streams get: what is, what was missed, what comes, and the end."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

import pytest

from training_gateway.events import HEARTBEAT, event, place, place_of
from training_gateway.refusal import Refusal
from training_gateway.store import REMEMBERED, JobStore
from training_gateway.streams import ListStream, ProgressStream
from training_gateway.views import Document, View
from trainingjob_client.errors import UnavailableError
from unit.gateway.jobs import at_epoch, changed, over, view


def parsed(data: bytes) -> dict[str, Any]:
    """id and data of an event."""
    fields = dict(line.split(": ", 1) for line in data.decode().strip().split("\n") if not line.startswith(":"))
    return {"id": fields.get("id"), "retry": fields.get("retry"), **json.loads(fields.get("data", "{}"))}


class Clients:
    """A store, and streams of one job in it."""

    def __init__(self) -> None:
        self.store = JobStore()
        self.allowed: Exception | None = None
        self.past: list[int] = []

    def show(self, epoch: int, version: int, type: str = "MODIFIED", **changes: Any) -> None:
        status = changes.pop("status", at_epoch(epoch))
        self.store.note(changed(type, version=version, status=status, **changes))

    def stream(self, last_event_id: str = "", heartbeat: float = 30.0) -> AsyncIterator[bytes]:
        async def allowed() -> None:
            if self.allowed:
                raise self.allowed

        async def missed(view: View, epoch: int) -> Iterable[tuple[int, Document]]:
            return [(number, {"current_epoch": number}) for number in self.past if number > epoch]

        known = self.store.get(("team", "job"))
        assert known is not None
        return ProgressStream(self.store, known.view, allowed, missed, heartbeat).events(last_event_id)


@pytest.fixture
def clients() -> Clients:
    made = Clients()
    made.show(1, version=10, type="ADDED")
    return made


async def test_first_comes_what_is(clients: Clients) -> None:
    async with aclosing(clients.stream()) as stream:
        first = parsed(await anext(stream))
        assert (first["id"], first["retry"], first["type"]) == ("10-1", "3000", "progress")
        assert first["progress"]["current_epoch"] == 1
        clients.show(2, version=11)
        second = parsed(await anext(stream))
        assert (second["id"], second["retry"]) == ("11-2", None)


async def test_what_does_not_change_the_progress_is_not_told(clients: Clients) -> None:
    clients.show(1, version=11)
    clients.show(2, version=12)
    known = clients.store.get(("team", "job"))
    assert known is not None
    assert [told.version for told in known.told] == [10, 12]


async def test_a_slow_client_gets_the_newest_of_what_it_missed(clients: Clients) -> None:
    async with aclosing(clients.stream()) as stream:
        await anext(stream)
        for epoch in range(2, 3 * REMEMBERED):
            clients.show(epoch, version=100 + epoch)
        seen = [parsed(await anext(stream))["progress"]["current_epoch"] for _ in range(REMEMBERED)]
        assert seen == list(range(2 * REMEMBERED, 3 * REMEMBERED))


async def test_whoever_comes_back_gets_what_was_missed(clients: Clients) -> None:
    for epoch in (2, 3, 4):
        clients.show(epoch, version=10 + epoch)
    async with aclosing(clients.stream("12-2")) as stream:
        assert [parsed(await anext(stream))["id"] for _ in range(2)] == ["13-3", "14-4"]


async def test_what_is_no_longer_remembered_comes_from_the_history(clients: Clients) -> None:
    clients.past = list(range(1, 100))
    for epoch in range(2, 3 * REMEMBERED):
        clients.show(epoch, version=100 + epoch)
    async with aclosing(clients.stream("50-3")) as stream:
        seen = [parsed(await anext(stream)) for _ in range(3 * REMEMBERED - 4)]
    assert [each["progress"]["current_epoch"] for each in seen] == list(range(4, 3 * REMEMBERED))
    assert seen[0]["retry"] == "3000"


async def test_whoever_missed_nothing_waits(clients: Clients) -> None:
    async with aclosing(clients.stream("10-1")) as stream:
        assert (await anext(stream)).endswith(b": nothing was missed\n")
        clients.show(2, version=11)
        assert parsed(await anext(stream))["id"] == "11-2"


@pytest.mark.parametrize("id", ["x", "-", "9999-1", "1e3-1", "١-٢", "1" * 100 + "-1"])
async def test_an_id_that_is_none_begins_with_what_is(clients: Clients, id: str) -> None:
    async with aclosing(clients.stream(id)) as stream:
        assert parsed(await anext(stream))["id"] == "10-1"


async def test_a_pause_leaves_the_stream_open_and_says_so(clients: Clients) -> None:
    clients.show(1, version=11, status=at_epoch(1, "Paused"))
    async with aclosing(clients.stream(heartbeat=0.01)) as stream:
        assert parsed(await anext(stream))["progress"]["training_state"] == "paused"
        assert await anext(stream) == HEARTBEAT
        clients.show(2, version=12)
        assert parsed(await anext(stream))["progress"]["training_state"] == "running"


async def test_the_end_is_told_and_ends_it(clients: Clients) -> None:
    async with aclosing(clients.stream()) as stream:
        await anext(stream)
        clients.show(10, version=20, status=over("EarlyStopped"))
        last = [parsed(each) async for each in stream]
    assert [each["type"] for each in last] == ["progress", "complete"]
    assert last[1]["state"] == "early_stopped"
    assert last[1]["progress"]["current_epoch"] == 10


async def test_whoever_comes_after_the_end_is_told_it_again(clients: Clients) -> None:
    clients.show(10, version=20, status=over())
    assert [parsed(each).get("type") async for each in clients.stream("20-10")][-1] == "complete"


@pytest.mark.parametrize("another", [False, True], ids=["deleted", "made again under the same name"])
async def test_a_deleted_job_ends_it(clients: Clients, another: bool) -> None:
    async with aclosing(clients.stream()) as stream:
        await anext(stream)
        if another:
            clients.show(0, version=30, type="ADDED", uid="u2")
        else:
            clients.show(1, version=30, type="DELETED")
        assert [parsed(each)["state"] async for each in stream] == ["deleted"]


async def test_whoever_may_no_longer_is_cut_off(clients: Clients) -> None:
    async with aclosing(clients.stream(heartbeat=0.01)) as stream:
        await anext(stream)
        clients.allowed = UnavailableError("away")
        assert [await anext(stream) for _ in range(2)] == [HEARTBEAT, HEARTBEAT]
        clients.allowed = Refusal(403, "no")
        assert {each async for each in stream} <= {HEARTBEAT}


async def test_whoever_may_no_longer_is_cut_off_from_a_busy_stream_too(clients: Clients) -> None:
    async with aclosing(clients.stream(heartbeat=0.01)) as stream:
        await anext(stream)
        clients.allowed = Refusal(401, "no")
        epochs = iter(range(2, 100_000))
        clients.show(next(epochs), version=11)
        async for _ in stream:
            epoch = next(epochs)
            clients.show(epoch, version=10 + epoch)


async def test_a_heartbeat_is_no_event() -> None:
    assert HEARTBEAT.startswith(b":")
    assert HEARTBEAT.count(b"\n") == 1
    assert event({"name": "鸢尾花\n\n"}, "1") == b'id: 1\ndata: {"name":"\\u9e22\\u5c3e\\u82b1\\n\\n"}\n\n'


def test_an_id_is_read_as_it_was_written() -> None:
    assert place_of(place("12345", 7)) == (12345, 7)


async def test_a_list_begins_with_all_and_then_shows_changes() -> None:
    store = JobStore()
    store.note(changed("ADDED", name="a", version=1))
    store.note(changed("ADDED", name="hidden", namespace="other", version=2))

    async def allowed(namespace: str) -> bool:
        return namespace == "team"

    async def still() -> None:
        return None

    async with aclosing(ListStream(store, allowed, still).events()) as stream:
        snapshot = parsed(await anext(stream))
        assert [job["name"] for job in snapshot["jobs"]] == ["a"]
        store.note(changed("ADDED", name="b", version=3))
        store.note(changed("MODIFIED", name="b", version=4, status=at_epoch(1)))
        store.note(changed("ADDED", name="hidden2", namespace="other", version=5))
        store.note(changed("DELETED", name="a", version=6))
        shown = [parsed(await anext(stream)) for _ in range(2)]
    assert [(each["type"], each["job"]["name"], each["job"]["epoch"]) for each in shown] == [
        ("added", "b", 1),
        ("deleted", "a", 0),
    ]


def test_a_job_is_found_by_its_id_until_it_is_deleted() -> None:
    store = JobStore()
    label = {"trainingjob.dev/task-id": "epoch_training_20240101_120000"}
    store.note(changed("ADDED", labels=label))
    assert [known.view.key for known in store.by_task_id("epoch_training_20240101_120000")] == [view().key]
    store.note(changed("MODIFIED", labels={}))
    assert not store.by_task_id("epoch_training_20240101_120000")
    assert store.by_task_id("team.job")
    store.note(changed("DELETED", labels={}))
    assert not store.by_task_id("team.job")
