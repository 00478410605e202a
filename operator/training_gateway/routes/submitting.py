"""A manifest in, a task out; and the end of a task."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse

from training_gateway import submission
from training_gateway.asking import Asker, Served
from training_gateway.documents import Deleted, Submitted, answers
from training_gateway.gate import Action
from training_gateway.identity import task_id_of
from training_gateway.refusal import FieldError, Refusal, invalid
from training_gateway.routes.training import Namespace
from training_gateway.services import Services
from training_gateway.submission import Submission
from trainingjob_client.errors import AlreadyExistsError, NotFoundError, RefusedError
from trainingjob_client.job import Job
from trainingjob_client.jobs import AsyncTrainingJobs
from trainingjob_client.keeping import what_stays
from trainingjob_client.resources import CONFIG_MAPS, TRAINING_JOBS

router = APIRouter(tags=["tasks"])
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


@router.post(
    "/jobs",
    status_code=201,
    openapi_extra=_BODY,
    responses=answers(Submitted, 201) | answers(Submitted),
)
async def submit(
    request: Request, user: Asker, services: Served, namespace: Namespace = None, dry_run: bool = False
) -> JSONResponse:
    """A TrainingJob as YAML or JSON, and ConfigMaps beside it. Errors name the manifest's fields."""
    given = await asyncio.to_thread(submission.read, await request.body())
    if given.namespace and namespace and given.namespace != namespace:
        raise invalid(FieldError("metadata.namespace", f"is {given.namespace}, and the query says {namespace}"))
    where = services.namespace(given.namespace or namespace, "metadata.namespace")
    needed = [Action("create", where, "configmaps", "")] if given.config_maps else []
    await services.gate.require(user, Action("create", where), *needed)
    job = await _created(services, given, given.by(user), where, dry_run=True)
    if not dry_run:
        await _config_maps(services, given, where)
        job = await _created(services, given, given.by(user), where, dry_run=False)
    verb = "would be made" if dry_run else "was made"
    answer = {
        "success": True,
        "task_id": task_id_of(job),
        "name": job.title,
        "namespace": job.namespace,
        "message": f"TrainingJob {job.name} {verb} in namespace {job.namespace}",
    }
    return JSONResponse(answer, 200 if dry_run else 201)


async def _created(services: Services, given: Submission, manifest: dict[str, Any], where: str, dry_run: bool) -> Job:
    try:
        return Job(await services.api.create(TRAINING_JOBS, manifest, where, dry_run=dry_run))
    except RefusedError as error:
        errors = tuple(FieldError(field or "body", message) for field, message in error.causes)
        raise Refusal(422, str(error), errors or (FieldError("body", str(error)),)) from None
    except AlreadyExistsError:
        name = manifest["metadata"]["name"]
        message = f"TrainingJob {name} is in namespace {where} already"
        raise Refusal(409, message, (FieldError("metadata.name", message),)) from None
    except NotFoundError:
        raise invalid(FieldError("metadata.namespace", f"there is no namespace {where}")) from None


async def _config_maps(services: Services, given: Submission, where: str) -> None:
    for config_map in given.config_maps:
        try:
            await services.api.create(CONFIG_MAPS, config_map, where)
        except AlreadyExistsError:
            name = config_map["metadata"]["name"]
            message = f"ConfigMap {name} is there already: leave it out to use it as it is, or take another name"
            raise Refusal(409, message, (FieldError("metadata.name", message),)) from None


@router.delete("/jobs/{task_id}", responses=answers(Deleted))
async def delete(
    task_id: str,
    user: Asker,
    services: Served,
    namespace: Namespace = None,
    keep_checkpoints: Annotated[bool | None, Query(description="Default: as the manifest's retain says.")] = None,
) -> dict[str, Any]:
    """Ends its pods. The claim that was made for it stays, with checkpoints and model, unless it is to go."""
    view = await services.view(task_id, user, "delete", namespace)
    if keep_checkpoints is not None:
        verb = "patch" if keep_checkpoints else "delete"
        await services.gate.require(user, Action(verb, view.job.namespace, "persistentvolumeclaims", ""))
    jobs = AsyncTrainingJobs(services.api, view.job.namespace)
    await jobs.delete(view.job.name, keep_checkpoints=keep_checkpoints)
    told = f"{view.task_id} is deleted; its pods end. {what_stays(view.job, keep_checkpoints)}"
    return {"success": True, "task_id": view.task_id, "message": told}
