"""Asking rank 0: its word counts if it is about the attempt asked for, and a hostile pod costs nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from training_operator import poller as module
from training_operator.poller import Poller, Source
from training_operator.store import Key
from trainingjob_api.contract import PROGRESS_LIMIT
from unit.operator.factories import UID, report

KEY = ("team", "digits")
Answer = Callable[[web.Request], web.StreamResponse]


@asynccontextmanager
async def rank_zero(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Source]:
    """A pod that serves /progress."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return answer(request)

    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.json_response(report().to_json_object())

    application = web.Application()
    application.router.add_get("/progress", handle)
    application.router.add_get("/elsewhere", elsewhere)
    async with TestServer(application) as server:
        monkeypatch.setattr(module, "METRICS_PORT", server.port)
        yield Source("127.0.0.1", UID, 1)


@asynccontextmanager
async def polling() -> AsyncIterator[tuple[Poller, asyncio.Event, asyncio.Event]]:
    news, silence = asyncio.Event(), asyncio.Event()

    def on(event: asyncio.Event) -> Callable[[Key], None]:
        return lambda key: event.set()

    async with Poller(0.01, on(news), on(silence)) as poller:
        yield poller, news, silence


async def test_a_report_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = web.json_response
    async with (
        rank_zero(lambda _: answer(report(4, 40).to_json_object()), monkeypatch) as source,
        polling() as (poller, news, _),
    ):
        poller.follow(KEY, source)
        await asyncio.wait_for(news.wait(), 5)
        found = poller.report(KEY)
        assert found is not None
        assert found.epoch == 4
        poller.leave(KEY)
        assert poller.report(KEY) is None


BAD: list[tuple[str, Answer]] = [
    ("another attempt's", lambda _: web.json_response(report(attempt=2).to_json_object())),
    ("another job's", lambda _: web.json_response({**report().to_json_object(), "uid": "other"})),
    ("no JSON", lambda _: web.Response(text="<html>")),
    ("no progress", lambda _: web.json_response({"hello": 1})),
    ("an error", lambda _: web.json_response(report().to_json_object(), status=500)),
    ("a redirect", lambda _: web.Response(status=302, headers={"Location": "/elsewhere"})),
    ("a byte too much", lambda _: web.Response(text=report().model_dump_json(by_alias=True).rjust(PROGRESS_LIMIT + 1))),
    ("far too much", lambda _: web.Response(text=report().model_dump_json(by_alias=True).rjust(3 * PROGRESS_LIMIT))),
]


@pytest.mark.parametrize("answer", [case[1] for case in BAD], ids=[case[0] for case in BAD])
async def test_what_does_not_count(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()
    count = 0

    def counting(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count >= 3:
            asked.set()
        return answer(request)

    async with rank_zero(counting, monkeypatch) as source, polling() as (poller, news, _):
        poller.follow(KEY, source)
        await asyncio.wait_for(asked.wait(), 5)
        assert poller.report(KEY) is None
        assert not news.is_set()


async def test_silence_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.05)
    told: list[Key] = []
    once, twice = asyncio.Event(), asyncio.Event()

    def tell(key: Key) -> None:
        (twice if told else once).set()
        told.append(key)

    async with (
        rank_zero(lambda _: web.Response(status=503), monkeypatch) as source,
        Poller(0.01, print, tell) as poller,
    ):
        poller.follow(KEY, source)
        await asyncio.wait_for(once.wait(), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(twice.wait(), 0.2)
    assert told == [KEY]


async def test_another_source_takes_the_place_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = web.json_response
    async with (
        rank_zero(lambda _: answer(report(attempt=2).to_json_object()), monkeypatch) as source,
        polling() as (p, news, _),
    ):
        p.follow(KEY, source)
        p.follow(KEY, Source(source.pod_ip, UID, 2))
        await asyncio.wait_for(news.wait(), 5)
        assert len(p._following) == 1


def test_an_ipv6_address_is_bracketed() -> None:
    assert Source("fd00::1", UID, 1).url == "http://[fd00::1]:9464/progress"
