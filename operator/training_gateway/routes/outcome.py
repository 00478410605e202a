"""What came out of a training: every epoch, the result, the log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response, StreamingResponse

from training_gateway.asking import Asker, Reader, Served
from training_gateway.documents import TEXT, HistoryAnswer, ResultAnswer, answers
from training_gateway.gate import Action
from training_gateway.past import past_of
from training_gateway.refusal import Refusal
from training_gateway.routes.streams import counted
from training_gateway.routes.training import Namespace
from trainingjob_client.errors import NoLogError
from trainingjob_client.history import fetch_history
from trainingjob_client.job import Job
from trainingjob_client.jobs import AsyncTrainingJobs
from trainingjob_client.places import folder_of, model_of

router = APIRouter(tags=["outcome"])


@router.get("/history/{task_id}", responses=answers(HistoryAnswer))
async def history(
    task_id: str,
    user: Reader,
    services: Served,
    namespace: Namespace = None,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only epochs after this one.")] = 0,
) -> Response:
    """Every epoch since the first, over pauses and restarts. `missing`: those that were done and could not be had."""
    view = await services.view(task_id, user, "get", namespace)
    raw = await fetch_history(services.api, view.job)
    since = services.store.epochs_of(view)
    metrics = view.job.status.metrics
    best = metrics.best.epoch if metrics and metrics.best else None
    # A long one takes a while to unpack and to write down.
    return await asyncio.to_thread(lambda: JSONResponse(past_of(raw, since).document(view.task_id, best, after)))


@router.get("/result/{task_id}", responses=answers(ResultAnswer))
async def result(task_id: str, user: Asker, services: Served, namespace: Namespace = None) -> dict[str, Any]:
    """Final, best and test metrics, and where the model and the report lie."""
    view = await services.view(task_id, user, "get", namespace)
    return {"success": True, "task_id": view.task_id, "result": {**view.result, "files": _files(view.job)}}


@router.get("/logs/{task_id}", response_class=StreamingResponse, responses=TEXT)
async def logs(
    task_id: str,
    user: Asker,
    services: Served,
    namespace: Namespace = None,
    rank: Annotated[int, Query(ge=0, le=100_000)] = 0,
    tail: Annotated[int | None, Query(ge=0, le=100_000)] = None,
    follow: bool = False,
) -> StreamingResponse:
    """Text. Followed, it waits for pods and goes on with the next attempt's, to the end of the training."""
    view = await services.view(task_id, user, "get", namespace)
    await services.gate.require(user, Action("get", view.job.namespace, "pods", "", "log"))
    jobs = AsyncTrainingJobs(services.api, view.job.namespace)
    lines = jobs.logs(view.job.name, rank=rank, follow=follow, tail=tail)
    try:
        first = "" if follow else await anext(lines, None)
    except NoLogError as error:
        raise Refusal(404, str(error), state=view.state) from None
    return counted(services, _text(first, lines), {"Content-Type": "text/plain; charset=utf-8"})


async def _text(first: str | None, lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    if first:
        yield f"{first}\n".encode()
    async for line in lines:
        yield f"{line}\n".encode()


def _files(job: Job) -> dict[str, Any]:
    """In which claims they are, and where there; of what is in none the path in the pods."""
    folder, model = folder_of(job), model_of(job)
    return {
        "claim": folder.claim,
        "folder": folder.path,
        "model": model.path,
        "model_claim": model.claim,
        "report": folder.below("report.json").path,
        "history": folder.below("history.jsonl").path,
    }
