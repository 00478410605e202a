"""Who asks, and whether they may: TokenReview with an audience of our own, then SubjectAccessReview."""

import asyncio
import hmac
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

from training_gateway.rates import Rates
from training_gateway.refusal import Refusal
from trainingjob_api.contract import GROUP, PLURAL
from trainingjob_client.resources import ACCESS_REVIEWS, TOKEN_REVIEWS, Resource

logger = logging.getLogger(__name__)

FRESH_SECONDS = 10.0
"""For how long an answer is not asked for again."""
AT_ONCE = 16
"""Questions to the API server: a flood of wrong tokens is not passed on."""
REMEMBERED = 4096
LONGEST_TOKEN = 16 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class User:
    """As the API server knows them."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_developer: bool = False
    """Came with the development token: may do what the gateway itself may."""


ANONYMOUS = User("anonymous")
DEVELOPER = User("development", is_developer=True)


@dataclass(frozen=True)
class Action:
    """Something that a user may do or not; namespace "": in all of them."""

    verb: str
    namespace: str
    resource: str = PLURAL
    group: str = GROUP
    subresource: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {what} in {f'namespace {self.namespace}' if self.namespace else 'all namespaces'}"


class Reviewer(Protocol):
    """The part of the API server that is asked."""

    async def create(self, resource: Resource, manifest: dict[str, Any], /) -> dict[str, Any]: ...


@dataclass
class Remembered(Generic[Answer]):
    """Answers by question, each asked once at a time, the oldest forgotten. Errors are not remembered."""

    clock: Callable[[], float]
    _known: OrderedDict[Hashable, tuple[float, Answer]] = field(default_factory=OrderedDict)
    _asked: dict[Hashable, asyncio.Future[Answer]] = field(default_factory=dict)

    async def get(self, question: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        known = self._known.get(question)
        if known is not None and self._is_fresh(known[0]):
            return known[1]
        asking = self._asked.get(question)
        if asking is None:
            asking = self._asked[question] = asyncio.ensure_future(ask())
            asking.add_done_callback(lambda done: self._note(question, self.clock(), done))
        return await asyncio.shield(asking)

    def needs_no_question(self, question: Hashable) -> bool:
        """It is answered, or asked at this moment."""
        known = self._known.get(question)
        return question in self._asked or (known is not None and self._is_fresh(known[0]))

    def _is_fresh(self, since: float) -> bool:
        return self.clock() < since + FRESH_SECONDS

    def _note(self, question: Hashable, now: float, done: asyncio.Future[Answer]) -> None:
        self._asked.pop(question, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._known[question] = (now, done.result())
        self._known.move_to_end(question)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


class Gate:
    """Says who a request is from, and whether they may do something."""

    def __init__(
        self,
        reviewer: Reviewer,
        audience: str,
        development_token: str = "",
        clock: Callable[[], float] = time.monotonic,
        guesses: Rates | None = None,
    ) -> None:
        self._reviewer, self._audience, self._development_token = reviewer, audience, development_token
        self._users: Remembered[User | None] = Remembered(clock)
        self._allowed: Remembered[bool] = Remembered(clock)
        self._few = asyncio.Semaphore(AT_ONCE)
        self._guesses = guesses or Rates(per_second=20, burst=200, clock=clock)

    async def user(self, authorizations: list[str], peer: str = "") -> User:
        """By the Authorization headers of a request. Refusal (401) that says nothing but that a token is needed."""
        token = _token(authorizations)
        if token is None:
            raise _nobody()
        if self._development_token and hmac.compare_digest(token, self._development_token):
            return DEVELOPER
        digest = sha256(token.encode()).digest()
        if not self._users.needs_no_question(digest) and (wait := self._guesses.wait(peer)):
            raise too_many(wait)
        user = await self._users.get(digest, lambda: self._review(token))
        if user is None:
            raise _nobody()
        return user

    async def may(self, user: User, action: Action) -> bool:
        if user.is_developer:
            return True
        return await self._allowed.get((user, action), lambda: self._ask(user, action))

    async def require(self, user: User, *actions: Action) -> None:
        """Refusal (403) naming what the user would have to be allowed."""
        for action in actions:
            if not await self.may(user, action):
                raise Refusal(403, f"{user.name} may not {action}")

    async def _review(self, token: str) -> User | None:
        spec = {"token": token, "audiences": [self._audience]}
        async with self._few:
            answer = await self._reviewer.create(
                TOKEN_REVIEWS, _review("authentication.k8s.io/v1", "TokenReview", spec)
            )
        status = answer.get("status") or {}
        # Whoever does not know about audiences answers without any: then the token is not known to be for us.
        if not status.get("authenticated") or self._audience not in (status.get("audiences") or []):
            return None
        return _user(status.get("user") or {})

    async def _ask(self, user: User, action: Action) -> bool:
        attributes = {
            "verb": action.verb,
            "group": action.group,
            "resource": action.resource,
            "subresource": action.subresource,
            "namespace": action.namespace,
        }
        spec = {
            "user": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra},
            "resourceAttributes": {key: value for key, value in attributes.items() if value},
        }
        async with self._few:
            answer = await self._reviewer.create(
                ACCESS_REVIEWS, _review("authorization.k8s.io/v1", "SubjectAccessReview", spec)
            )
        return (answer.get("status") or {}).get("allowed") is True


def _token(authorizations: list[str]) -> str | None:
    """None: there is none, or nothing that could be one, so that the API server need not be asked."""
    if len(authorizations) != 1:
        return None
    scheme, _, token = authorizations[0].strip(" \t").partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        return None
    return token


def _user(found: Mapping[str, Any]) -> User | None:
    if not found.get("username"):
        return None
    extra = found.get("extra") or {}
    return User(
        str(found["username"]),
        str(found.get("uid") or ""),
        tuple(found.get("groups") or ()),
        tuple(sorted((str(key), tuple(values)) for key, values in extra.items())),
    )


def _review(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {}, "spec": spec}


def _nobody() -> Refusal:
    return Refusal(401, "a valid bearer token is needed", headers={"WWW-Authenticate": "Bearer"})


def too_many(wait: float) -> Refusal:
    seconds = max(1, int(wait + 0.999))
    return Refusal(429, f"too many requests: try again in {seconds} s", headers={"Retry-After": str(seconds)})
