"""Asking rank 0: its word counts if it is about the attempt asked for, and a hostile pod costs nothing."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from training_operator import asking
from training_operator.asking import Asker, Source
from trainingjob_api.contract import PROGRESS_LIMIT
from trainingjob_api.progress import Progress
from unit.operator.factories import UID, report

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
        monkeypatch.setattr(asking, "METRICS_PORT", server.port)
        yield Source("127.0.0.1", UID, 1)


async def asked(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Progress | None:
    async with rank_zero(answer, monkeypatch) as source, Asker() as asker:
        return await asker.ask(source, 5)


async def test_its_report_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = report(4, 40)
    assert await asked(lambda _: web.json_response(told.to_json_object()), monkeypatch) == told


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
    assert await asked(answer, monkeypatch) is None


async def test_nobody_listens_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rank_zero(lambda _: web.Response(), monkeypatch) as source:
        pass
    async with Asker() as asker:
        assert await asker.ask(source, 5) is None


async def test_who_does_not_answer_is_not_waited_for_longer_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setattr(asking, "METRICS_PORT", mute.getsockname()[1])
        async with Asker() as asker:
            assert await asker.ask(Source("127.0.0.1", UID, 1), 0.05) is None


def test_an_ipv6_address_is_bracketed() -> None:
    assert Source("fd00::1", UID, 1).address == "http://[fd00::1]:9464"
