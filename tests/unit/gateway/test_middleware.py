"""What holds for every request, whatever the application does with it."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from training_gateway.middleware import Frame


async def slow(request: Request) -> Response:
    await asyncio.sleep(0.2)
    return PlainTextResponse("done")


async def broken(request: Request) -> Response:
    raise RuntimeError("the password is swordfish")


class Front:
    """A small application in the frame, and what that has logged."""

    def __init__(self) -> None:
        routes = [Route("/slow", slow), Route("/stream-jobs", slow), Route("/broken", broken)]
        self.lines: list[str] = []
        frame = Middleware(Frame, seconds=0.05, observe=lambda *_: None, log=self.lines.append)
        app = Starlette(routes=routes, middleware=[frame])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")

    async def get(self, path: str, **headers: str) -> tuple[httpx.Response, dict[str, Any]]:
        answer = await self.client.get(path, headers=headers)
        return answer, json.loads(self.lines[-1])


async def test_a_request_that_takes_too_long_is_told_to_come_back() -> None:
    answer, line = await Front().get("/slow")
    assert (answer.status_code, line["status"]) == (503, 503)
    assert int(answer.headers["Retry-After"]) > 0
    answer, _ = await Front().get("/stream-jobs")
    assert answer.text == "done", "streams take as long as they take"


async def test_what_goes_wrong_inside_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    answer, line = await Front().get("/broken?token=secret", authorization="Bearer secret")
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert answer.json()["request_id"] == line["request_id"] == answer.headers["X-Request-ID"]
    assert "secret" not in json.dumps(line)
    assert "swordfish" in caplog.text
