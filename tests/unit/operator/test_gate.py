"""Who may read /metrics: what the API server says of a token, and what holds while it says nothing."""

import asyncio
from typing import Any, cast

import aiohttp
import pytest

from support.clock import Clock
from training_operator.errors import RefusedError, TryAgainError
from training_operator.gate import AT_ONCE, FRESH_SECONDS, HOLDS_SECONDS, REMEMBERED, Gate, Verdict
from training_operator.server import guarded, serving
from training_operator.tls import self_signed

PROMETHEUS, TENANT = "Bearer prometheus", "Bearer tenant"


class Reviews:
    """A cluster that knows two users, of whom one may read; or is away."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.trouble: Exception | None = None
        self.is_silent = False

    async def who_is(self, token: str) -> dict[str, Any] | None:
        self.asked.append(token)
        if self.is_silent:
            await asyncio.Event().wait()
        if self.trouble:
            raise self.trouble
        return {"username": token} if token in ("prometheus", "tenant") else None

    async def may_get(self, path: str, user: dict[str, Any]) -> bool:
        assert path == "/metrics"
        return bool(user["username"] == "prometheus")


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(reviews: Reviews, clock: Clock) -> Gate:
    return Gate(cast(Any, reviews), clock)


@pytest.mark.parametrize(
    ("authorization", "verdict"),
    [
        pytest.param("", Verdict.NOBODY, id="no token"),
        pytest.param("Basic cHJvbWV0aGV1czo=", Verdict.NOBODY, id="a password"),
        pytest.param("Bearer ", Verdict.NOBODY, id="an empty token"),
        pytest.param("Bearer forged", Verdict.NOBODY, id="a token that nobody has"),
        pytest.param(TENANT, Verdict.FORBIDDEN, id="a user who may not"),
        pytest.param(PROMETHEUS, Verdict.ALLOWED, id="a user who may"),
        pytest.param("bearer prometheus", Verdict.ALLOWED, id="the scheme in small letters"),
    ],
)
async def test_who_is_let_in(gate: Gate, authorization: str, verdict: Verdict) -> None:
    assert await gate.judge(authorization) is verdict


async def test_without_a_token_nobody_is_asked(gate: Gate, reviews: Reviews) -> None:
    await gate.judge("")
    assert reviews.asked == []


@pytest.mark.parametrize("authorization", [PROMETHEUS, TENANT, "Bearer forged"])
async def test_an_answer_is_good_for_a_while(gate: Gate, reviews: Reviews, clock: Clock, authorization: str) -> None:
    first = await gate.judge(authorization)
    clock.now += FRESH_SECONDS - 1
    assert await gate.judge(authorization) is first
    assert len(reviews.asked) == 1
    clock.now += 1
    assert await gate.judge(authorization) is first
    assert len(reviews.asked) == 2


@pytest.mark.parametrize("trouble", [TryAgainError("away"), RefusedError(403, "the operator may not ask")])
async def test_while_the_api_server_is_away_whoever_was_let_in_still_is(
    gate: Gate, reviews: Reviews, clock: Clock, trouble: Exception
) -> None:
    await gate.judge(PROMETHEUS)
    await gate.judge(TENANT)
    reviews.trouble = trouble
    clock.now += HOLDS_SECONDS - 1
    assert await gate.judge(PROMETHEUS) is Verdict.ALLOWED
    assert await gate.judge(TENANT) is Verdict.FORBIDDEN
    assert await gate.judge("Bearer new") is Verdict.UNKNOWN
    clock.now += 2
    assert await gate.judge(PROMETHEUS) is Verdict.UNKNOWN


async def test_a_right_that_was_taken_away_ends(gate: Gate, reviews: Reviews, clock: Clock) -> None:
    await gate.judge(PROMETHEUS)
    clock.now += FRESH_SECONDS
    reviews.who_is = lambda token: asyncio.sleep(0)  # type: ignore[assignment,method-assign,return-value]
    assert await gate.judge(PROMETHEUS) is Verdict.NOBODY


async def test_an_api_server_that_does_not_answer_keeps_nobody_waiting(
    gate: Gate, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training_operator.gate.PATIENCE", 0.01)
    reviews.is_silent = True
    asking = asyncio.gather(*(gate.judge(f"Bearer {number}") for number in range(3 * AT_ONCE)))
    await asyncio.sleep(0)
    assert len(reviews.asked) == AT_ONCE
    assert set(await asking) == {Verdict.UNKNOWN}


async def test_a_flood_of_tokens_is_not_remembered(gate: Gate) -> None:
    for number in range(REMEMBERED + 10):
        await gate.judge(f"Bearer {number}")
    assert len(gate._known) == REMEMBERED


async def test_how_each_is_answered_over_tls(gate: Gate, reviews: Reviews) -> None:
    async def page(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text="numbers")

    async def get(authorization: str) -> tuple[int, str]:
        async with session.get("/metrics", headers={"Authorization": authorization}, ssl=False) as answer:
            return answer.status, await answer.text()

    async with (
        serving("127.0.0.1", 0, guarded({"/metrics": page}, gate), self_signed()) as port,
        aiohttp.ClientSession(f"https://127.0.0.1:{port}") as session,
    ):
        assert await get(PROMETHEUS) == (200, "numbers")
        assert await get(TENANT) == (403, "the token's user may not get /metrics\n")
        assert await get("") == (401, "a bearer token that the API server knows is needed\n")
        reviews.trouble = TryAgainError("away")
        assert await get("Bearer new") == (503, "the API server could not be asked about the token\n")
