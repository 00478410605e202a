"""The client against a server that answers as the API server does: what is sent, and what errors become."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client.configuration import Configuration

from training_operator.cluster import Cluster, StatusTarget
from training_operator.connection import Connection
from training_operator.errors import AlreadyExistsError, ConflictError, NotNowError, RefusedError, TryAgainError
from training_operator.store import Kind
from unit.operator.factories import open_status

Seen = list[tuple[str, str, dict[str, str], Any]]


@asynccontextmanager
async def answering(code: int, body: Any) -> AsyncIterator[tuple[Cluster, Seen]]:
    seen: Seen = []

    async def handle(request: web.Request) -> web.Response:
        text = await request.text()
        headers = {"type": request.headers.get("Content-Type", "")}
        seen.append((request.method, str(request.rel_url), headers, json.loads(text) if text else None))
        answer = body() if callable(body) else body
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return web.Response(text=text, status=code, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(application) as server:
        configuration = Configuration(host=str(server.make_url("")).rstrip("/"))
        async with Cluster(Connection.of(configuration)) as cluster:
            yield cluster, seen


def status(reason: str, message: str = "because") -> dict[str, str]:
    return {"kind": "Status", "reason": reason, "message": message}


ERRORS = [
    (400, status("BadRequest"), RefusedError),
    (401, status("Unauthorized"), NotNowError),
    (403, status("Forbidden"), RefusedError),
    (403, {**status("Forbidden"), "details": {"causes": [{"reason": "NamespaceTerminating"}]}}, NotNowError),
    (404, status("NotFound"), ConflictError),
    (409, status("Conflict"), ConflictError),
    (409, status("AlreadyExists"), AlreadyExistsError),
    (422, status("Invalid"), RefusedError),
    (429, status("TooManyRequests"), NotNowError),
    (500, status("InternalError"), NotNowError),
    (503, "<html>a proxy's page</html>", NotNowError),
]


@pytest.mark.parametrize(("code", "body", "error"), ERRORS, ids=[f"{e[0]}-{e[2].__name__}" for e in ERRORS])
async def test_errors(code: int, body: Any, error: type[Exception]) -> None:
    async with answering(code, body) as (cluster, _):
        with pytest.raises(error) as raised:
            await cluster.create("jobs", {"metadata": {"namespace": "team"}})
        assert type(raised.value) is error or code == 404
        is_answered = getattr(raised.value, "was_answered", None)
        assert is_answered is (error is NotNowError) or error is RefusedError or error is AlreadyExistsError


async def test_a_server_that_is_away() -> None:
    async with Cluster(Connection.of(Configuration(host="http://127.0.0.1:1"))) as cluster:
        with pytest.raises(TryAgainError):
            await cluster.get("jobs", "team", "x")


async def test_calls_are_counted() -> None:
    calls = []
    async with answering(200, {"items": [], "metadata": {"resourceVersion": "7"}}) as (cluster, _):
        cluster.on_call = lambda verb, plural, code, seconds: calls.append((verb, plural, code))
        assert [page.version async for page in cluster.list_pages(Kind.POD, None)] == ["7"]
    assert calls == [("list", "pods", 200)]


async def test_only_labelled_children_are_listed() -> None:
    async with answering(200, {"items": [], "metadata": {"resourceVersion": "7"}}) as (cluster, seen):
        async for _ in cluster.list_pages(Kind.POD, "team"):
            pass
        async for _ in cluster.list_pages(Kind.TRAINING_JOB, None):
            pass
        await cluster.list_pods(("team", "digits"))
    assert [url for _, url, _, _ in seen] == [
        "/api/v1/namespaces/team/pods?limit=200&labelSelector=trainingjob.dev/name",
        "/apis/trainingjob.dev/v1alpha1/trainingjobs?limit=200",
        "/api/v1/namespaces/team/pods?labelSelector=trainingjob.dev/name%3Ddigits",
    ]


async def test_a_long_list_comes_in_pages() -> None:
    tokens = iter(["two+", "three", ""])

    def page() -> Any:
        return {"items": [{}], "metadata": {"resourceVersion": "7", "continue": next(tokens)}}

    async with answering(200, page) as (cluster, seen):
        pages = [page async for page in cluster.list_pages(Kind.JOB, None)]
    assert [(len(page.items), page.version) for page in pages] == [(1, "7")] * 3
    queries = [url.rpartition("&")[2] for _, url, _, _ in seen]
    assert queries == ["labelSelector=trainingjob.dev/name", "continue=two%2B", "continue=three"]


async def test_suspending_changes_one_field_of_the_job_as_it_was_seen() -> None:
    async with answering(200, {}) as (cluster, seen):
        await cluster.suspend_job("team", "digits-1", "41", "PausedByUser")
    method, url, headers, body = seen[0]
    assert (method, url) == ("PATCH", "/apis/batch/v1/namespaces/team/jobs/digits-1")
    assert headers["type"] == "application/merge-patch+json"
    told = {"trainingjob.dev/stopped-for": "PausedByUser"}
    assert body == {"metadata": {"resourceVersion": "41", "annotations": told}, "spec": {"suspend": True}}


async def test_deleting_names_the_object_that_was_seen() -> None:
    async with answering(200, {}) as (cluster, seen):
        await cluster.delete("jobs", "team", "digits-1", "uid-1", "41")
    assert seen[0][3]["preconditions"] == {"uid": "uid-1", "resourceVersion": "41"}


@pytest.mark.parametrize(
    ("answer", "remains"),
    [
        (status("", "Success"), False),
        ({"kind": "Job", "metadata": {"name": "digits-1"}}, False),
        ({"kind": "Job", "metadata": {"name": "digits-1", "deletionTimestamp": "2026-01-31T12:00:00Z"}}, True),
    ],
    ids=["it says that all is well", "it shows what it was", "it waits for a finalizer"],
)
async def test_what_is_deleted_and_still_there_is_known(answer: Any, remains: bool) -> None:
    async with answering(200, answer) as (cluster, _):
        found = await cluster.delete("jobs", "team", "digits-1", "uid-1", "41")
    assert found == (answer if remains else None)


async def test_what_is_gone_is_deleted() -> None:
    async with answering(404, status("NotFound")) as (cluster, _):
        await cluster.delete("jobs", "team", "digits-1", "uid-1", None)
        assert await cluster.get("jobs", "team", "digits-1") is None


async def test_the_whole_status_is_put_on_the_object_as_it_was_seen() -> None:
    async with answering(200, {}) as (cluster, seen):
        await cluster.replace_status(StatusTarget("team", "digits", "uid", "41"), open_status())
    method, url, _, body = seen[0]
    assert (method, url) == ("PUT", "/apis/trainingjob.dev/v1alpha1/namespaces/team/trainingjobs/digits/status")
    assert body["metadata"] == {"name": "digits", "namespace": "team", "uid": "uid", "resourceVersion": "41"}
    assert "spec" not in body
    assert body["status"] == open_status().to_json_object()


async def test_the_api_server_is_asked_who_has_a_token() -> None:
    user = {"username": "ann", "uid": "1", "groups": ["a"], "extra": {"scopes": ["b"]}}
    async with answering(201, {"status": {"authenticated": True, "user": user}}) as (cluster, seen):
        assert await cluster.who_is("secret") == user
    (call,) = seen
    assert call[:2] == ("POST", "/apis/authentication.k8s.io/v1/tokenreviews")
    assert call[3] == {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "secret"}}


async def test_a_token_that_is_not_known_is_nobodys() -> None:
    async with answering(201, {"status": {"user": {}, "error": "invalid bearer token"}}) as (cluster, _):
        assert await cluster.who_is("secret") is None


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_api_server_is_asked_what_a_user_may(allowed: bool) -> None:
    user = {"username": "ann", "groups": ["a"], "extra": {"scopes": ["b"]}}
    async with answering(201, {"status": {"allowed": allowed}}) as (cluster, seen):
        assert await cluster.may_get("/metrics", user) is allowed
    (call,) = seen
    assert call[:2] == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
    assert call[3]["spec"] == {
        "user": "ann",
        "groups": ["a"],
        "extra": {"scopes": ["b"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


async def test_an_api_server_that_is_away_says_nothing_about_a_token() -> None:
    async with Cluster(Connection.of(Configuration(host="http://127.0.0.1:9"))) as cluster:
        with pytest.raises(TryAgainError):
            await cluster.who_is("secret")


async def test_who_may_not_act_reads_and_does_not_write() -> None:
    async with answering(200, {}) as (cluster, seen):
        follower = replace(cluster, may_write=lambda: False)
        writes = (
            follower.create("jobs", {"metadata": {"namespace": "team"}}),
            follower.replace("leases", {"metadata": {"namespace": "team", "name": "x"}}),
            follower.suspend_job("team", "digits-1", "41", "PausedByUser"),
            follower.delete("jobs", "team", "digits-1", "uid-1", None),
            follower.replace_status(StatusTarget("team", "digits", "uid", "41"), open_status()),
        )
        for write in writes:
            with pytest.raises(TryAgainError, match="another replica may act"):
                await write
        await follower.get("jobs", "team", "digits-1")
    assert [method for method, *_ in seen] == ["GET"]


async def test_a_whole_object_is_put_where_it_is() -> None:
    lease = {"metadata": {"namespace": "team", "name": "operator", "resourceVersion": "7"}}
    async with answering(200, {}) as (cluster, seen):
        await cluster.replace("leases", lease)
    method, url, _, body = seen[0]
    assert (method, url) == ("PUT", "/apis/coordination.k8s.io/v1/namespaces/team/leases/operator")
    assert body == lease
