"""A watch outlives what it watches through: whatever happened meanwhile is shown once, and nothing is shown twice."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from trainingjob_client import watching
from trainingjob_client.api import Api, RawChange
from trainingjob_client.errors import ClientError, ForbiddenError, LostTrackError, UnavailableError
from trainingjob_client.job import Change
from trainingjob_client.watching import Watching

Raw = dict[str, Any]


def _job(name: str, version: int) -> Raw:
    return {"metadata": {"name": name, "namespace": "n", "uid": f"uid-{name}", "resourceVersion": str(version)}}


def _bookmark(version: int) -> RawChange:
    return RawChange("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


@dataclass
class Played:
    """Stands for the API server: LISTs and watches answer with one part after the other."""

    lists: list[list[Raw] | ClientError]
    watches: list[list[RawChange | ClientError]]
    asked: list[str] = field(default_factory=list)

    async def list(self, resource: object, namespace: object, *, fields: str, limit: int, page: str) -> Raw:
        self.asked.append("list")
        answer = self.lists.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return {"items": answer, "metadata": {"resourceVersion": "100"}}

    async def watch(
        self, resource: object, namespace: object, *, version: str, fields: str
    ) -> AsyncGenerator[RawChange, None]:
        self.asked.append(f"watch {version}")
        if not self.watches:
            raise ForbiddenError("the story is over")
        for part in self.watches.pop(0):
            if isinstance(part, ClientError):
                raise part
            yield part


async def _shown(played: Played) -> list[str]:
    seen: list[Change] = []

    async def look() -> None:
        async for change in Watching(cast("Api", played), "n").changes():
            seen.append(change)  # noqa: PERF401  (what was seen before the end counts)

    with pytest.raises(ForbiddenError, match="the story is over"):
        await look()
    return [f"{change.type} {change.job.name if change.job else ''}".strip() for change in seen]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_FIRST_WAIT", 0.0)


async def test_a_watch_that_breaks_goes_on_from_where_it_was() -> None:
    broken: list[RawChange | ClientError] = [
        RawChange("MODIFIED", _job("a", 101)),
        _bookmark(150),
        UnavailableError(""),
    ]
    played = Played([[_job("a", 1)]], [broken, [RawChange("DELETED", _job("a", 151))]])
    assert await _shown(played) == ["ADDED a", "SYNCED", "MODIFIED a", "DELETED a"]
    assert played.asked == ["list", "watch 100", "watch 150", "watch 151"]


async def test_what_has_changed_while_the_track_was_lost_is_shown_once() -> None:
    played = Played(
        [[_job("same", 1), _job("changed", 2), _job("gone", 3)], [_job("same", 1), _job("changed", 9), _job("new", 8)]],
        [[LostTrackError("too old")]],
    )
    first, again = (
        ["ADDED same", "ADDED changed", "ADDED gone", "SYNCED"],
        ["DELETED gone", "MODIFIED changed", "ADDED new"],
    )
    assert await _shown(played) == [*first, *again, "SYNCED"]


async def test_an_api_server_that_is_away_is_waited_for_but_not_at_first() -> None:
    away = UnavailableError("away")
    played = Played([[], away, away, [_job("a", 1)]], [[LostTrackError("too old")]])
    assert await _shown(played) == ["SYNCED", "ADDED a", "SYNCED"]
    with pytest.raises(UnavailableError):
        await anext(Watching(cast("Api", Played([away], [])), "n").changes())
