"""Watches against a server that plays the API server's part, well and badly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from training_operator.relist import Relist
from training_operator.store import Kind, Store
from training_operator.watch import LONGEST_PAUSE, Inbox, Watch, for_ever, pause
from unit.operator.api_server import ApiServer, Play, RecordingQueue, bookmark, event, playing, refusal, stream
from unit.operator.factories import raw_pod

KEY = ("team", "digits")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_operator.watch.SHORTEST_PAUSE", 0.0)


def pod(rank: int = 0, version: int = 100, **how: Any) -> dict[str, Any]:
    raw = raw_pod(rank, **how)
    raw["metadata"]["resourceVersion"] = str(version)
    return raw


class Watched:
    """A store that a watch of pods feeds."""

    def __init__(self) -> None:
        self.store, self.queue = Store(), RecordingQueue()

    def ranks(self) -> list[int]:
        return sorted(pod.rank for pod in self.store.view(KEY).pods)


@asynccontextmanager
async def watching(server: ApiServer, version: str | None = "100") -> AsyncIterator[Watched]:
    """Until everything is played that the server has."""
    watched = Watched()
    async with playing(server) as cluster:
        relist = Relist(cluster, watched.store, (), 60, watched.queue.add)
        watch = Watch(cluster, relist, Inbox(watched.store, watched.queue), Kind.POD, None, version)
        task = asyncio.create_task(for_ever(watch.follow, "the watch of pods"))
        try:
            await asyncio.wait_for(server.done.wait(), 20)
            yield watched
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_what_is_shown_is_stored_and_queued() -> None:
    shown = [
        event("ADDED", pod(0, 101, phase="Pending", started=None)),
        event("ADDED", pod(1, 102)),
        event("MODIFIED", pod(0, 103)),
        event("DELETED", pod(1, 104, code=43)),
    ]
    server = ApiServer(stream(*shown))
    async with watching(server) as watched:
        assert watched.ranks() == [0]
        assert [pod.rank for pod in watched.store.view(KEY).gone_pods] == [1]
        assert (watched.queue.batched, watched.queue.added) == ([KEY] * 3, [KEY])  # what is gone decides something
    assert server.asked == ["watch 100", "watch 104"]


async def test_a_bookmark_moves_on_and_is_no_news() -> None:
    server = ApiServer(stream(bookmark(250)))
    async with watching(server) as watched:
        assert (watched.queue.batched, watched.queue.added) == ([], [])
    assert server.asked == ["watch 100", "watch 250"]


async def test_without_a_version_everything_is_listed_first() -> None:
    server = ApiServer()
    server.items = [pod(0, 90)]
    async with watching(server, version=None) as watched:
        assert watched.ranks() == [0]
        assert watched.store.seconds_behind(Kind.POD, 1e9) == 0.0  # the watch will not show it again
    assert server.asked == ["list", "watch 100"]


def error(code: int | None) -> Play:
    status = {"kind": "Status", "message": "no more", **({} if code is None else {"code": code})}
    return stream(event("ADDED", pod(1, 101)), event("ERROR", status))


LOST_TRACK: list[tuple[str, Play]] = [
    ("an event that says 410", error(410)),
    ("an event that says 500", error(500)),
    ("an event that says nothing", error(None)),
    ("an answer that says 410", refusal(410, "Expired")),
    ("a refusal", refusal(403, "Forbidden")),
    ("half an event", stream(event("ADDED", pod(1, 101))[:200])),
    ("what is no JSON", stream(b"<html>\n")),
    ("what is no event", stream(b'{"hello": "world"}\n')),
]


@pytest.mark.parametrize("play", [row[1] for row in LOST_TRACK], ids=[row[0] for row in LOST_TRACK])
async def test_it_lists_anew_after(play: Play) -> None:
    server = ApiServer(stream(event("DELETED", pod(2, 100, code=43))), play)
    server.items, server.version = [pod(0, 150)], "200"
    async with watching(server) as watched:
        assert watched.ranks() == [0]
        assert 2 in [pod.rank for pod in watched.store.view(KEY).gone_pods]  # an end that nothing but memory holds
    assert server.asked == ["watch 100", "watch 100", "list", "watch 200"]


PASSING: list[tuple[str, Play]] = [
    ("the end of the stream", stream(event("ADDED", pod(0, 101)))),
    ("a connection that breaks", stream(event("ADDED", pod(0, 101)), breaks=True)),
    ("a connection that breaks within an event", stream(event("ADDED", pod(0, 101)), b'{"type":', breaks=True)),
    ("a stream that falls silent", stream(event("ADDED", pod(0, 101)), silence=True)),
]


@pytest.mark.parametrize("play", [row[1] for row in PASSING], ids=[row[0] for row in PASSING])
async def test_it_goes_on_from_where_it_was_after(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_operator.cluster._WATCH_TIMEOUT", aiohttp.ClientTimeout(sock_read=0.2))
    server = ApiServer(play, stream(event("ADDED", pod(1, 102))))
    async with watching(server) as watched:
        assert watched.ranks() == [0, 1]
    assert server.asked[:3] == ["watch 100", "watch 101", "watch 102"]


@pytest.mark.parametrize("code", [401, 404, 429, 500, 503])
async def test_a_watch_that_is_refused_is_tried_again(code: int) -> None:
    server = ApiServer(refusal(code), refusal(code), stream(event("ADDED", pod(0, 101))))
    async with watching(server) as watched:
        assert watched.ranks() == [0]
    assert server.asked == ["watch 100"] * 3 + ["watch 101"]


async def test_a_list_that_fails_is_tried_again() -> None:
    server = ApiServer()
    server.failures = [web.Response(status=500), web.Response(status=403), web.Response(text="{}")]
    server.items = [pod(0, 90)]
    async with watching(server, version=None) as watched:
        assert watched.ranks() == [0]
    assert server.asked == ["list"] * 4 + ["watch 100"]


async def test_an_event_may_come_in_pieces_and_be_long() -> None:
    long = pod(0, 101)
    long["metadata"]["annotations"] = {"long": "x" * 1_500_000}
    text = event("ADDED", long)
    pieces = [text[at : at + 100_000] for at in range(0, len(text), 100_000)]
    server = ApiServer(stream(*pieces, event("ADDED", pod(1, 102))))
    async with watching(server) as watched:
        assert watched.ranks() == [0, 1]


async def test_what_cannot_be_read_holds_nothing_up() -> None:
    bad = pod(0, 101, code=1)
    bad["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = "0000-01-01T00:00:00Z"
    server = ApiServer(stream(event("ADDED", bad), event("ADDED", pod(1, 102))))
    async with watching(server) as watched:
        assert watched.ranks() == [1]
        assert len(watched.store.view(KEY).unreadable) == 1
    assert server.asked == ["watch 100", "watch 102"]


@pytest.mark.parametrize("failures", [0, 1, 5, 1000])
def test_it_begins_anew_within_five_seconds(failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 0 < pause(failures) <= LONGEST_PAUSE <= 5
