"""Start, look, pause, resume: what an epoch-training API does."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import JSONResponse

from training_gateway.asking import Asker, Reader, Served
from training_gateway.datasets import source_of_config_map
from training_gateway.documents import Changed, ProgressAnswer, Started, answers
from training_gateway.gate import Action, User
from training_gateway.identity import task_id_of
from training_gateway.recipe import Defaults, config_of, spec_of
from training_gateway.refusal import FieldError, Refusal, invalid
from training_gateway.services import Services
from training_gateway.sources import Source
from training_gateway.start_request import StartRequest
from training_gateway.starting import Start
from training_gateway.views import View
from trainingjob_api.contract import CHANGED_BY_ANNOTATION
from trainingjob_client.errors import FinishedError, NotFoundError
from trainingjob_client.jobs import AsyncTrainingJobs
from trainingjob_client.resources import CONFIG_MAPS

router = APIRouter(tags=["training"])
Namespace = Annotated[str | None, Query(max_length=63, description="Default: that of the server, or of the task.")]
Key = Annotated[str, Header(max_length=200, description="The same key and body again: the same task.")]


@router.post("/start", responses=answers(Started))
async def start(
    request: StartRequest,
    user: Asker,
    services: Served,
    namespace: Namespace = None,
    dry_run: bool = False,
    idempotency_key: Key = "",
) -> dict[str, Any]:
    """Start a training. `config` of the answer has every default filled in."""
    if namespace and request.namespace and namespace != request.namespace:
        raise invalid(FieldError("namespace", f"the query says {namespace}, the body {request.namespace}"))
    where = services.namespace(request.namespace or namespace)
    await services.gate.require(user, Action("create", where))
    settings = services.settings
    defaults = Defaults(settings.default_data_path, settings.default_target_column, settings.claim_size)
    dataset = await _dataset(services, where, request)
    spec = spec_of(request, defaults, dataset)
    job = await Start(services, user, where, request, spec, idempotency_key, dry_run).run()
    task_id = task_id_of(job)
    verb = "would be started" if dry_run else "started"
    return {
        "success": True,
        "task_id": task_id,
        "message": f"training {request.name!r} {verb} as {task_id}",
        "namespace": job.namespace,
        "config": config_of(request, spec),
    }


async def _dataset(services: Services, namespace: str, request: StartRequest) -> Source | None:
    """Refusal (422) for one that is not there."""
    if request.dataset_id is None:
        return None
    try:
        raw = await services.api.get(CONFIG_MAPS, request.dataset_id, namespace)
    except NotFoundError:
        raise invalid(FieldError("dataset_id", f"there is none in namespace {namespace}")) from None
    return source_of_config_map(raw, request.target_column)


@router.get("/progress/{task_id}", responses=answers(ProgressAnswer))
async def progress(task_id: str, user: Reader, services: Served, namespace: Namespace = None) -> JSONResponse:
    """How far it is."""
    view = await services.view(task_id, user, "get", namespace)
    return JSONResponse({"success": True, "task_id": view.task_id, "progress": view.progress})


@router.post("/pause/{task_id}", responses=answers(Changed))
async def pause(task_id: str, user: Asker, services: Served, namespace: Namespace = None) -> dict[str, Any]:
    """Save, free the pods, wait. Asking again changes nothing."""
    view = await services.view(task_id, user, "patch", namespace)
    after = await _suspended(services, user, view, wanted=True)
    return _answer(after, "paused" if after.state == "paused" else "pausing: it saves, and its pods end")


@router.post("/resume/{task_id}", responses=answers(Changed))
async def resume(task_id: str, user: Asker, services: Served, namespace: Namespace = None) -> dict[str, Any]:
    """Go on from what was saved. Asking again changes nothing."""
    view = await services.view(task_id, user, "patch", namespace)
    return _answer(await _suspended(services, user, view, wanted=False), "goes on from what was saved")


async def _suspended(services: Services, user: User, view: View, wanted: bool) -> View:
    """Refusal (409), with the state, for a training that is over."""
    jobs = AsyncTrainingJobs(services.api, view.job.namespace)
    by = {CHANGED_BY_ANNOTATION: user.name}
    try:
        return View(await (jobs.pause if wanted else jobs.resume)(view.job.name, annotations=by))
    except FinishedError as error:
        state = View(await jobs.get(view.job.name)).state
        raise Refusal(409, str(error), state=state) from None


def _answer(view: View, what: str) -> dict[str, Any]:
    state = view.state
    if view.job.is_suspended != (state in ("paused", "pausing")):  # the operator has not seen it yet
        state = "pausing" if view.job.is_suspended else "starting"
    return {"success": True, "task_id": view.task_id, "message": f"{view.task_id} {what}", "training_state": state}
