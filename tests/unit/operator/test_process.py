"""What surrounds the loop: settings, lists, watches."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from training_operator.cluster import Listed
from training_operator.errors import RefusedError, TryAgainError
from training_operator.records import Key
from training_operator.relist import Relist
from training_operator.settings import Settings, from_environment
from training_operator.store import Kind, Store
from unit.operator.factories import (
    raw_job,
    raw_pod,
    raw_training_job,
)


class TestSettings:
    def test_nothing_need_be_set(self) -> None:
        assert from_environment({}) == Settings()

    def test_everything_can_be_set(self) -> None:
        environment = {
            "TRAININGJOB_OPERATOR_NAMESPACES": "a, b,",
            "TRAININGJOB_OPERATOR_PORT": "9",
            "TRAININGJOB_OPERATOR_POLL_SECONDS": "0.5",
            "TRAININGJOB_OPERATOR_LOG_FORMAT": "json",
            "TRAININGJOB_OPERATOR_METRICS_AUTH": "true",
        }
        settings = from_environment(environment)
        assert settings == replace(
            Settings(), namespaces=("a", "b"), port=9, poll_seconds=0.5, log_format="json", metrics_auth=True
        )
        assert not settings.is_cluster_wide

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "http"),
            ("LOG_FORMAT", "xml"),
            ("LOG_LEVEL", "LOUD"),
            ("WORKERS", "1.5"),
            ("METRICS_AUTH", "1"),
            ("LEASE", "no-namespace"),
            ("PROGRESS_WRITES_PER_SECOND", "0"),
            ("POLL_SECONDS", "nan"),
            ("WORKERS", "-1"),
            ("NETWORK_POLICY_FROM", "$(POD_NAMESPACE),metrics=enabled"),
        ],
    )
    def test_what_is_wrong_is_named(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=f"TRAININGJOB_OPERATOR_{name}"):
            from_environment({f"TRAININGJOB_OPERATOR_{name}": value})


@pytest.fixture
def relist() -> Relist:
    return Relist(cast(Any, None), Store(), (), 60, lambda key: None, last_success=time.monotonic())


class Listing:
    """A cluster whose LISTs are given, or fail."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), []

    async def list_pages(self, kind: Kind, namespace: str | None) -> AsyncIterator[Listed]:
        self.asked.append((kind, namespace))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for raw in answer:
            yield Listed([raw], "999999")


class TestRelist:
    async def test_what_a_watch_missed_is_news(self) -> None:
        news: list[Key] = []
        store = Store()
        relist = Relist(cast(Any, Listing([raw_pod()], [raw_job()], [raw_training_job()])), store, (), 60, news.append)
        await relist.once()
        assert news == [("team", "digits")] * 3
        assert len(store.view(("team", "digits")).pods) == 1
        assert relist.last_success is not None

    async def test_what_is_on_any_page_is_there(self) -> None:
        store = Store()
        relist = Relist(cast(Any, Listing([raw_pod(0), raw_pod(1)], [], [raw_training_job()])), store, (), 60, print)
        await relist.once()
        assert len(store.view(("team", "digits")).pods) == 2

    async def test_every_namespace_is_listed(self) -> None:
        cluster = Listing(*[[]] * 6)
        await Relist(cast(Any, cluster), Store(), ("a", "b"), 60, print).once()
        assert [namespace for _, namespace in cluster.asked] == ["a", "b"] * 3

    async def test_nothing_begins_before_everything_was_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("training_operator.relist.asyncio.sleep", AsyncMock())
        cluster = Listing(TryAgainError("away"), RefusedError(403, "no rights"), [], TryAgainError("away"), [], [], [])
        relist = Relist(cast(Any, cluster), Store(), (), 60, print)
        await relist.until_first()
        assert cluster.answers == []

    async def test_what_a_watch_begins_with_it_will_not_show(self) -> None:
        pods = [raw_pod()]
        relist = Relist(cast(Any, Listing(pods, pods)), Store(), (), 60, print)
        await relist.read(Kind.POD, None)
        assert relist.seconds_behind(Kind.POD) > 0
        await relist.read(Kind.POD, None, by_watch=True)
        assert relist.seconds_behind(Kind.POD) == 0

    def test_a_stale_watch_is_healed_sooner(self, relist: Relist) -> None:
        assert relist._pause() == 60
        raws = [raw_pod()]
        relist.store.put_listed(Kind.POD, raws, time.monotonic() - 20)
        assert relist._pause() == 10
