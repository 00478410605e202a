"""kopf's watch of TrainingJobs, against a server that plays the API server's part."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import kopf
import pytest
import yaml
from aiohttp import web

from training_operator.handlers import watch_training_jobs
from training_operator.relist import Relist
from training_operator.settings import Settings
from training_operator.store import Store
from training_operator.tuning import tuned
from training_operator.watch import Inbox, for_ever
from unit.operator.api_server import ApiServer, RecordingQueue, bookmark, event, playing, refusal, stream
from unit.operator.factories import raw_training_job

KEY = ("team", "digits")


def test_kopf_never_gives_up_and_waits_for_seconds_only() -> None:
    backoffs = iter(tuned().networking.error_backoffs)  # type: ignore[arg-type]
    assert all(next(backoffs) <= 5 for _ in range(10_000))


def test_kopf_writes_nothing_and_ends_nothing() -> None:
    settings = tuned()
    assert settings.posting.enabled is False
    assert settings.process.ultimate_exiting_timeout is None
    body, patch = kopf.Body({"metadata": {}}), kopf.Patch()
    settings.persistence.progress_storage.store(
        key=kopf.HandlerId("x"), record=kopf.ProgressRecord(), body=body, patch=patch
    )
    settings.persistence.diffbase_storage.store(body=body, patch=patch, essence=kopf.BodyEssence())
    assert not patch


class Watched:
    """A store that kopf feeds."""

    def __init__(self) -> None:
        self.store, self.queue = Store(), RecordingQueue()


@asynccontextmanager
async def watching(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_begun: Callable[[], None] = lambda: None
) -> AsyncIterator[Watched]:
    """Until everything is played that the server has."""
    monkeypatch.setattr("training_operator.watch.SHORTEST_PAUSE", 0.0)
    watched = Watched()
    async with playing(server) as cluster:
        kubeconfig = {
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": cluster.connection.configuration.host}}],
            "users": [{"name": "x", "user": {"token": "x"}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        relist = Relist(cluster, watched.store, (), 60, watched.queue.add)
        inbox = Inbox(watched.store, watched.queue)
        follow = partial(watch_training_jobs, inbox, relist, Settings(), on_begun)
        task = asyncio.create_task(for_ever(follow, "the watch of trainingjobs"))
        try:
            await asyncio.wait_for(server.done.wait(), 60)
            yield watched
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_what_kopf_shows_is_stored_and_queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_training_job()
    server = ApiServer(stream(event("ADDED", raw), bookmark(10**6)))
    async with watching(server, tmp_path, monkeypatch) as watched:
        assert watched.store.view(KEY).training_job is not None
        assert (watched.queue.added, watched.queue.batched) == ([KEY], [])
    assert server.asked == ["list", "list", "watch 100", f"watch {10**6}"]


async def test_an_error_in_its_stream_ends_kopf_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raw = raw_training_job()
    raw["metadata"]["resourceVersion"] = "50"
    error = event("ERROR", {"kind": "Status", "code": 500, "message": "no more"})
    server = ApiServer(stream(event("ADDED", raw), error), stream(bookmark(10**6)))
    younger: list[asyncio.Task[bool]] = []
    async with watching(
        server, tmp_path, monkeypatch, lambda: younger.append(asyncio.create_task(for_long()))
    ) as watched:
        assert len(younger) == 2
        assert not any(task.done() for task in younger)
        assert watched.store.view(KEY).training_job is None  # which a LIST has shown meanwhile
    assert "kopf has ended: Error in the watch-stream" in caplog.text


async def test_it_comes_back_when_its_kind_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ApiServer(refusal(404, "NotFound"), stream(event("ADDED", raw_training_job())))
    server.failures = [
        web.Response(status=404),
        web.json_response({"items": [], "metadata": {"resourceVersion": "90"}}),
    ]
    async with watching(server, tmp_path, monkeypatch) as watched:
        assert watched.store.view(KEY).training_job is not None


async def for_long() -> bool:
    return await asyncio.Event().wait()
