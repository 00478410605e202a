"""Server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from training_gateway.asking import Asker, Reader, Served
from training_gateway.documents import EVENTS
from training_gateway.events import HEADERS
from training_gateway.gate import ANONYMOUS, Action, User
from training_gateway.past import as_progress, past_of
from training_gateway.refusal import Refusal
from training_gateway.routes.training import Namespace
from training_gateway.services import Services
from training_gateway.streams import ListStream, ProgressStream
from training_gateway.views import Document, View
from trainingjob_client.history import fetch_history

router = APIRouter(tags=["streams"])
LastEventId = Annotated[str, Header(max_length=100, description="The id of the last event that was received.")]


@router.get("/stream-progress/{task_id}", response_class=StreamingResponse, responses=EVENTS)
async def stream_progress(
    request: Request,
    task_id: str,
    user: Reader,
    services: Served,
    namespace: Namespace = None,
    last_event_id: LastEventId = "",
) -> StreamingResponse:
    """`progress` at every change, `complete` at the end, which ends the stream. That of a paused task stays open."""
    verb = "get" if user is ANONYMOUS else "watch"
    view = await services.view(task_id, user, verb, namespace)

    async def still_allowed() -> None:
        if user is not ANONYMOUS:
            await services.gate.require(await _same(request, services), Action(verb, view.job.namespace))

    async def missed(view: View, epoch: int) -> list[tuple[int, Document]]:
        raw = await fetch_history(services.api, view.job)
        since = services.store.epochs_of(view)
        return await asyncio.to_thread(lambda: list(as_progress(view, past_of(raw, since).rows(epoch))))

    stream = ProgressStream(services.store, view, still_allowed, missed)
    return counted(services, stream.events(last_event_id))


@router.get("/stream-jobs", response_class=StreamingResponse, responses=EVENTS)
async def stream_jobs(
    request: Request, user: Asker, services: Served, namespace: Namespace = None
) -> StreamingResponse:
    """`snapshot` of all tasks that you may list, then `added`, `modified` and `deleted`."""

    async def allowed(where: str) -> bool:
        return namespace in (None, where) and await services.may_list(user, where)

    async def still_allowed() -> None:
        await _same(request, services)

    if namespace:
        await services.gate.require(user, Action("list", services.namespace(namespace)))
    return counted(services, ListStream(services.store, allowed, still_allowed).events())


async def _same(request: Request, services: Services) -> User:
    """By the token that the stream was opened with, if that is still good."""
    peer = request.client.host if request.client else ""
    return await services.gate.user(request.headers.getlist("authorization"), peer)


def counted(
    services: Services, events: AsyncIterator[bytes], headers: Mapping[str, str] = HEADERS
) -> StreamingResponse:
    """Refusal (503) where as many are open as may be."""
    if services.open_streams >= services.settings.streams:
        raise Refusal(503, "too many streams are open: try again later", headers={"Retry-After": "30"})

    async def counting() -> AsyncIterator[bytes]:
        services.open_streams += 1
        try:
            async for each in events:
                yield each
        finally:
            services.open_streams -= 1

    return StreamingResponse(counting(), headers=headers)
