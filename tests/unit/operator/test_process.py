"""What surrounds the loop: settings, health, metrics."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast
from unittest.mock import AsyncMock

import aiohttp
import kopf
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from training_operator.cluster import Listed, RefusedError, TryAgainError
from training_operator.handlers import Inbox
from training_operator.metrics import JobGauges, Metrics
from training_operator.records import Key
from training_operator.relist import Relist
from training_operator.server import Health, serving
from training_operator.settings import Settings, from_environment, tune
from training_operator.store import Kind, Store
from unit.operator.factories import (
    job,
    look,
    open_status,
    pod,
    raw_job,
    raw_pod,
    raw_training_job,
    report,
    training_job,
)
from unit.operator.test_status import shown


class TestSettings:
    def test_nothing_need_be_set(self) -> None:
        assert from_environment({}) == Settings()

    def test_everything_can_be_set(self) -> None:
        environment = {
            "TRAININGJOB_OPERATOR_NAMESPACES": "a, b,",
            "TRAININGJOB_OPERATOR_PORT": "9",
            "TRAININGJOB_OPERATOR_POLL_SECONDS": "0.5",
            "TRAININGJOB_OPERATOR_LOG_FORMAT": "json",
        }
        settings = from_environment(environment)
        assert settings == replace(Settings(), namespaces=("a", "b"), port=9, poll_seconds=0.5, log_format="json")
        assert not settings.is_cluster_wide

    @pytest.mark.parametrize(
        ("name", "value"), [("PORT", "http"), ("LOG_FORMAT", "xml"), ("LOG_LEVEL", "LOUD"), ("WORKERS", "1.5")]
    )
    def test_what_is_wrong_is_named(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=f"TRAININGJOB_OPERATOR_{name}"):
            from_environment({f"TRAININGJOB_OPERATOR_{name}": value})

    def test_kopf_never_gives_up_and_writes_nothing(self) -> None:
        settings = kopf.OperatorSettings()
        tune(settings)
        backoffs = iter(cast(Any, settings.networking.error_backoffs))
        assert sum(next(backoffs) for _ in range(10_000)) > 200_000
        assert settings.posting.enabled is False


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

    async def test_nothing_is_ended_before_the_watches_would_see_it(self, relist: Relist) -> None:
        raw = raw_pod()
        relist.store.put_listed(Kind.POD, [raw], time.monotonic())
        waiting = asyncio.create_task(relist.until_watched())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        relist.store.put(Kind.POD, raw)
        await asyncio.wait_for(waiting, 5)

    async def test_a_watch_that_shows_nothing_holds_nobody_up(
        self, relist: Relist, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("training_operator.relist.WATCHED_WITHIN", 0.05)
        relist.store.put_listed(Kind.POD, [raw_pod()], time.monotonic())
        await asyncio.wait_for(relist.until_watched(), 5)

    def test_a_stale_watch_is_healed_sooner(self, relist: Relist) -> None:
        assert relist._pause() == 60
        raws = [raw_pod()]
        relist.store.put_listed(Kind.POD, raws, time.monotonic() - 20)
        assert relist._pause() == 10


def test_what_a_watch_shows_is_stored_and_queued() -> None:
    news: list[Key] = []
    store = Store()
    inbox = Inbox(store, news.append)
    inbox.receive(Kind.POD, cast(Any, {"type": "ADDED", "object": raw_pod()}))
    assert len(store.view(("team", "digits")).pods) == 1
    inbox.receive(Kind.POD, cast(Any, {"type": "DELETED", "object": raw_pod(code=43)}))
    view = store.view(("team", "digits"))
    assert (len(view.pods), len(view.gone_pods)) == (0, 1)
    assert news == [("team", "digits")] * 2


class TestHealth:
    def test_all_is_well(self, relist: Relist) -> None:
        assert Health(relist, lambda: 0.0).problems() == []

    def test_a_stale_watch(self, relist: Relist) -> None:
        relist.store.put_listed(Kind.TRAINING_JOB, [raw_training_job()], time.monotonic() - 200)
        assert Health(relist, lambda: 0.0).problems() == ["watch of trainingjobs is 200 s behind"]

    def test_an_api_server_that_is_away(self, relist: Relist) -> None:
        relist.last_success = time.monotonic() - 250
        assert Health(relist, lambda: 0.0).problems() == ["the API server could not be listed for 250 s"]

    def test_a_loop_that_stands(self, relist: Relist) -> None:
        assert Health(relist, lambda: 200.0).problems() == ["a TrainingJob has waited for 200 s"]

    def test_ready_only_after_the_first_list(self, relist: Relist) -> None:
        relist.last_success = None
        health = Health(relist, lambda: 0.0)
        assert health.problems() == []
        assert not health.has_begun

    async def test_what_is_served(self, relist: Relist) -> None:
        relist.last_success = None
        health = Health(relist, lambda: 0.0)
        async with serving("127.0.0.1", 0, health, CollectorRegistry()) as port, aiohttp.ClientSession() as session:
            codes = {}
            for path in ("healthz", "readyz", "metrics"):
                async with session.get(f"http://127.0.0.1:{port}/{path}") as answer:
                    codes[path] = answer.status
        assert codes == {"healthz": 200, "readyz": 503, "metrics": 200}


class TestMetrics:
    def scrape(self, *jobs: Any) -> dict[str, float]:
        registry = CollectorRegistry()
        registry.register(JobGauges(lambda: jobs))
        from prometheus_client import generate_latest

        families = text_string_to_metric_families(generate_latest(registry).decode())
        return {f"{s.name}{sorted(s.labels.values())}": s.value for family in families for s in family.samples}

    def running(self) -> Any:
        names = ("Loss", "Accuracy", "Precision", "Recall", "F1", "RocAuc")
        latest = {"epoch": 3, "trainLoss": 0.5, "trainAccuracy": 0.8, "extra": {"bleu": 0.25}}
        latest |= {f"validation{name}": 0.6 for name in names}
        best = {**latest, "validationLoss": 0.4}
        test = {f"{name[0].lower()}{name[1:]}": 0.7 for name in names} | {"samples": 9}
        observed = look(training_job(open_status()), job(), pod(), report=report(latest=latest, best=best, test=test))
        return observed.job.model_copy(update={"status": shown(observed)})

    def test_a_job_has_few_series(self) -> None:
        own = [name for name in self.scrape(self.running()) if "digits" in name]
        assert 10 < len(own) <= 40

    def test_numbers_are_those_of_status(self) -> None:
        scraped = self.scrape(self.running())
        assert scraped["trainingjob_operator_job_epoch['digits', 'team']"] == 3
        assert scraped["trainingjob_operator_job_train_loss['digits', 'team']"] == 0.5
        assert scraped["trainingjob_operator_job_validation_roc_auc['digits', 'team']"] == 0.6
        assert scraped["trainingjob_operator_job_best_validation_loss['digits', 'team']"] == 0.4
        assert scraped["trainingjob_operator_job_test_accuracy_ratio['digits', 'team']"] == 0.7
        assert scraped["trainingjob_operator_job_user_metric['bleu', 'digits', 'team']"] == 0.25
        assert "trainingjob_operator_job_validation_mae['digits', 'team']" not in scraped
        assert scraped["trainingjob_operator_jobs['Running']"] == 1

    def test_what_is_gone_is_gone(self) -> None:
        assert not [name for name in self.scrape() if "digits" in name]

    def test_the_operators_own(self) -> None:
        registry = CollectorRegistry()
        metrics = Metrics(registry)
        metrics.count_call("create", "jobs", 201, 0.1)
        metrics.watch_queue(lambda: 3, lambda: 1.5)
        metrics.watch_lag(lambda kind: 2.0 if kind is Kind.POD else 0.0, lambda: 9.0)
        labels = {"verb": "create", "resource": "jobs", "code": "201"}
        assert registry.get_sample_value("trainingjob_operator_api_requests_total", labels) == 1
        assert registry.get_sample_value("trainingjob_operator_queue_depth") == 3
        assert registry.get_sample_value("trainingjob_operator_watch_behind_seconds", {"resource": "pods"}) == 2
