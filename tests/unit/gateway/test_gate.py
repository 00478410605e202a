"""Who is let in: what is no token, what the API server says of one, and for how long that holds."""

import asyncio
from typing import Any

import pytest

from support.clock import Clock
from training_gateway.gate import DEVELOPER, FRESH_SECONDS, LONGEST_TOKEN, Action, Gate, User
from training_gateway.rates import Rates
from training_gateway.refusal import Refusal
from trainingjob_client.errors import UnavailableError
from trainingjob_client.resources import TOKEN_REVIEWS, Resource

GOOD, OURS = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "trainingjob-gateway"
PATCH = Action("patch", "team")


class Reviews:
    """A cluster that knows one token, and lets its user patch in one namespace."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.audiences: list[str] | None = [OURS]
        self.is_away = False

    async def create(self, resource: Resource, manifest: dict[str, Any], /) -> dict[str, Any]:
        self.asked.append(manifest["spec"])
        await asyncio.sleep(0)
        if self.is_away:
            raise UnavailableError("away")
        if resource == TOKEN_REVIEWS:
            known = manifest["spec"]["token"] == GOOD
            user = {"username": "ada", "uid": "7", "groups": ["lab"], "extra": {"scope": ["all"]}}
            return {"status": {"authenticated": known, "user": user if known else {}, "audiences": self.audiences}}
        return {"status": {"allowed": manifest["spec"]["resourceAttributes"].get("namespace") == "team"}}


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(reviews: Reviews, clock: Clock) -> Gate:
    return Gate(reviews, OURS, "a-token-for-trying-things", clock, Rates(1, 5, clock))


NO_TOKENS: dict[str, list[str]] = {
    "no header": [],
    "an empty header": [""],
    "a scheme alone": ["Bearer"],
    "a scheme and a space": ["Bearer "],
    "another scheme": ["Basic YWRhOnB3"],
    "the token alone": [GOOD],
    "two headers": [f"Bearer {GOOD}", f"Bearer {GOOD}"],
    "two tokens": [f"Bearer {GOOD} {GOOD}"],
    "a comma": [f"Bearer {GOOD}, Basic x"],
    "a newline": [f"Bearer {GOOD}\nX-Admin: 1"],
    "a carriage return": [f"Bearer {GOOD}\r"],
    "a zero byte": [f"Bearer {GOOD}\x00"],
    "letters of elsewhere": ["Bearer tökén"],
    "quotes": [f'Bearer "{GOOD}"'],
    "a tab in front of the token": [f"Bearer \t{GOOD}"],
    "longer than any": ["Bearer " + "a" * (LONGEST_TOKEN + 1)],
}


@pytest.mark.parametrize("headers", NO_TOKENS.values(), ids=NO_TOKENS)
async def test_what_is_no_token_is_refused_without_asking(gate: Gate, reviews: Reviews, headers: list[str]) -> None:
    with pytest.raises(Refusal) as refusal:
        await gate.user(headers)
    assert (refusal.value.code, refusal.value.message) == (401, "a valid bearer token is needed")
    assert refusal.value.headers == {"WWW-Authenticate": "Bearer"}
    assert not reviews.asked


async def test_a_token_that_the_cluster_does_not_know_is_refused_in_the_same_words(
    gate: Gate, reviews: Reviews
) -> None:
    with pytest.raises(Refusal, match=r"^a valid bearer token is needed$"):
        await gate.user(["Bearer forged"])
    assert reviews.asked == [{"token": "forged", "audiences": [OURS]}]


@pytest.mark.parametrize("audiences", [["https://kubernetes.default.svc"], [], None], ids=str)
async def test_a_token_for_somebody_else_is_refused(gate: Gate, reviews: Reviews, audiences: Any) -> None:
    reviews.audiences = audiences
    with pytest.raises(Refusal) as refusal:
        await gate.user([f"Bearer {GOOD}"])
    assert refusal.value.code == 401


async def test_a_user_is_asked_about_as_the_cluster_knows_them(gate: Gate, reviews: Reviews) -> None:
    user = await gate.user([f"bearer {GOOD}"])
    assert user == User("ada", "7", ("lab",), (("scope", ("all",)),))
    assert await gate.may(user, PATCH)
    assert not await gate.may(user, Action("patch", "other"))
    assert reviews.asked[1] == {
        "user": "ada",
        "uid": "7",
        "groups": ["lab"],
        "extra": {"scope": ["all"]},
        "resourceAttributes": {
            "verb": "patch",
            "group": "trainingjob.dev",
            "resource": "trainingjobs",
            "namespace": "team",
        },
    }


async def test_what_is_missing_is_named(gate: Gate) -> None:
    with pytest.raises(Refusal, match=r"^ada may not get pods/log in namespace other$") as refusal:
        await gate.require(User("ada"), Action("get", "other", "pods", "", "log"))
    assert refusal.value.code == 403


async def test_an_answer_holds_for_ten_seconds_at_most(gate: Gate, reviews: Reviews, clock: Clock) -> None:
    assert FRESH_SECONDS <= 10
    await gate.user([f"Bearer {GOOD}"])
    clock.now += FRESH_SECONDS - 0.1
    await gate.user([f"Bearer {GOOD}"])
    assert len(reviews.asked) == 1
    clock.now += 0.2
    await gate.user([f"Bearer {GOOD}"])
    assert len(reviews.asked) == 2


async def test_many_at_once_are_one_question(gate: Gate, reviews: Reviews) -> None:
    users = await asyncio.gather(*(gate.user([f"Bearer {GOOD}"]) for _ in range(50)))
    await asyncio.gather(*(gate.may(user, PATCH) for user in users))
    assert len(reviews.asked) == 2


async def test_a_cluster_that_is_away_lets_nobody_new_in(gate: Gate, reviews: Reviews) -> None:
    reviews.is_away = True
    with pytest.raises(UnavailableError):
        await gate.user([f"Bearer {GOOD}"])
    reviews.is_away = False
    assert (await gate.user([f"Bearer {GOOD}"])).name == "ada"


async def test_guesses_are_few(gate: Gate, reviews: Reviews, clock: Clock) -> None:
    for guess in range(5):
        with pytest.raises(Refusal, match="bearer"):
            await gate.user([f"Bearer guess{guess}"], "10.0.0.9")
    with pytest.raises(Refusal) as refusal:
        await gate.user(["Bearer guess5"], "10.0.0.9")
    assert (refusal.value.code, refusal.value.headers) == (429, {"Retry-After": "1"})
    assert len(reviews.asked) == 5
    assert (await gate.user([f"Bearer {GOOD}"], "10.0.0.10")).name == "ada"


async def test_the_development_token_needs_no_cluster(gate: Gate, reviews: Reviews) -> None:
    assert await gate.user(["Bearer a-token-for-trying-things"]) is DEVELOPER
    assert await gate.may(DEVELOPER, PATCH)
    assert not reviews.asked


async def test_without_one_an_empty_token_is_not_it(reviews: Reviews) -> None:
    with pytest.raises(Refusal):
        await Gate(reviews, OURS, "").user(["Bearer "])
