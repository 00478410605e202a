"""Whether the operator is well, and how its pages are answered."""

import time
from typing import Any, cast

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from training_operator.election import Unopposed
from training_operator.metrics.page import Page
from training_operator.relist import Relist
from training_operator.server import Health, health_pages, metrics_page, serving
from training_operator.store import Kind, Store
from unit.operator.factories import raw_training_job


@pytest.fixture
def relist() -> Relist:
    return Relist(cast(Any, None), Store(), (), 60, lambda key: None, last_success=time.monotonic())


def miss_for(seconds: float, relist: Relist) -> None:
    """A LIST has shown what the watch has not, so long ago."""
    relist.store.put_listed(Kind.TRAINING_JOB, [raw_training_job()], time.monotonic() - seconds)


class TestHealth:
    def test_all_is_well(self, relist: Relist) -> None:
        health = Health(relist, lambda: 0.0)
        assert (health.problems(), health.unreadiness()) == ([], [])

    def test_a_watch_that_shows_nothing_while_lists_do(self, relist: Relist) -> None:
        miss_for(200, relist)
        assert Health(relist, lambda: 0.0).problems() == ["watch of trainingjobs is 200 s behind"]

    def test_a_pass_that_does_not_end(self, relist: Relist) -> None:
        assert Health(relist, lambda: 200.0).problems() == ["a pass over a TrainingJob has lasted for 200 s"]

    def test_an_api_server_that_is_away_is_no_reason_to_begin_anew(self, relist: Relist) -> None:
        relist.last_success = time.monotonic() - 250
        health = Health(relist, lambda: 0.0)
        assert health.problems() == []
        assert health.unreadiness() == ["the API server could not be listed for 250 s"]

    def test_nor_is_a_watch_that_missed_something_shortly_before(self, relist: Relist) -> None:
        miss_for(300, relist)
        relist.last_success = time.monotonic() - 250
        assert Health(relist, lambda: 0.0).problems() == []

    def test_ready_only_after_the_first_list(self, relist: Relist) -> None:
        relist.last_success = None
        health = Health(relist, lambda: 0.0)
        assert health.problems() == []
        assert health.unreadiness() == ["the cluster has not been read yet"]

    def test_a_lease_that_no_replica_may_take(self, relist: Relist) -> None:
        class Refused(Unopposed):
            def problems(self) -> list[str]:
                return ["the Lease: no right"]

        health = Health(relist, lambda: 0.0, Refused())
        assert (health.problems(), health.unreadiness()) == ([], ["the Lease: no right"])


async def test_what_is_served(relist: Relist) -> None:
    relist.last_success = None
    page = Page(CollectorRegistry(), keep_seconds=60)
    pages = health_pages(Health(relist, lambda: 0.0)) | metrics_page(page)
    async with (
        serving("127.0.0.1", 0, pages) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        codes = {}
        for path in ("/healthz", "/readyz", "/metrics", "/"):
            async with session.get(path) as answer:
                codes[path] = answer.status
        async with session.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}) as answer:
            text, headers = await answer.text(), answer.headers
    assert codes == {"/healthz": 200, "/readyz": 503, "/metrics": 200, "/": 404}
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert headers["Content-Encoding"] == "gzip"
    assert text.endswith("# EOF\n")
