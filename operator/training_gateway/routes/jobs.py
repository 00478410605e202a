"""All tasks, one task, and what one may do."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse

from training_gateway.asking import Asker, Served
from training_gateway.documents import JobAnswer, JobList, Me, answers
from training_gateway.gate import Action, User
from training_gateway.listing import Filter, page_of
from training_gateway.routes.training import Namespace
from training_gateway.services import Services
from training_gateway.views import View
from trainingjob_client.job import Event
from trainingjob_client.jobs import AsyncTrainingJobs

router = APIRouter(tags=["tasks"])
_SERVICE_ACCOUNT = "system:serviceaccount:"


@router.get("/jobs", responses=answers(JobList))
async def list_jobs(
    user: Asker,
    services: Served,
    namespace: Namespace = None,
    state: Annotated[str, Query(max_length=200, description="One, or several with commas.")] = "",
    name: Annotated[str, Query(max_length=200, description="A part of it.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page: Annotated[str, Query(max_length=1000, description="`next` of the answer before.")] = "",
) -> JSONResponse:
    """The newest first."""
    wanted = Filter.of(state, name, namespace or "")
    if namespace:
        await services.gate.require(user, Action("list", services.namespace(namespace)))
    allowed = {namespace} if namespace else await _listable(services, user)
    found = [view for view in services.store.views() if view.job.namespace in allowed and wanted.wants(view)]
    views, next_page = page_of(found, limit, page)
    items = [view.item for view in views]
    return JSONResponse({"success": True, "jobs": items, "next": next_page, "total": len(found)})


@router.get("/jobs/{task_id}", responses=answers(JobAnswer))
async def get_job(task_id: str, user: Asker, services: Served, namespace: Namespace = None) -> dict[str, Any]:
    """One task with its manifest, its status and its events."""
    view = await services.view(task_id, user, "get", namespace)
    jobs = AsyncTrainingJobs(services.api, view.job.namespace)
    events = await jobs.events(view.job.name) if await _may_see_events(services, user, view) else []
    return {"success": True, "job": {**view.item, **_detail(view), "events": [_event(each) for each in events]}}


@router.get("/me", responses=answers(Me))
async def me(user: Asker, services: Served) -> dict[str, Any]:
    """Who you are, and whose tasks you may list."""
    everywhere = await services.gate.may(user, Action("list", ""))
    namespaces = await _listable(services, user, services.settings.default_namespace, *_own_namespace(user))
    return {"success": True, "user": user.name, "namespaces": sorted(namespaces), "all_namespaces": everywhere}


async def _listable(services: Services, user: User, *others: str) -> set[str]:
    """Of those that have a task, and these."""
    candidates = services.store.namespaces | set(others) | set(services.settings.namespaces)
    served = {namespace for namespace in candidates if services.settings.serves(namespace)}
    return {namespace for namespace in served if await services.may_list(user, namespace)}


def _own_namespace(user: User) -> list[str]:
    return [user.name.split(":")[2]] if user.name.startswith(_SERVICE_ACCOUNT) else []


async def _may_see_events(services: Services, user: User, view: View) -> bool:
    return await services.gate.may(user, Action("list", view.job.namespace, "events", ""))


def _detail(view: View) -> dict[str, Any]:
    raw, metadata = view.job.raw, view.job.raw["metadata"]
    shown = ("name", "namespace", "labels", "annotations", "creationTimestamp", "generation")
    return {
        "uid": view.job.uid,
        "manifest": {
            "apiVersion": raw["apiVersion"],
            "kind": raw["kind"],
            "metadata": {key: metadata[key] for key in shown if key in metadata},
            "spec": raw["spec"],
        },
        "status": raw.get("status") or {},
    }


def _event(event: Event) -> dict[str, Any]:
    at = None if event.time is None else f"{event.time:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "count": event.count,
        "last_at": at,
        "object": event.about,
    }
