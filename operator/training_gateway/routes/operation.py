"""For whoever runs the gateway: /healthz, /readyz, /metrics."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from training_gateway.asking import Served
from training_gateway.telemetry import CONTENT_TYPE

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> dict[str, Any]:
    """The process answers."""
    return {"ok": True}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(services: Served) -> Response:
    """For Prometheus: counts without names."""
    return Response(services.telemetry.page(), media_type=CONTENT_TYPE)


@router.get("/readyz")
async def readyz(services: Served) -> JSONResponse:
    """The cluster's TrainingJobs have been read."""
    ready = services.store.is_synced
    problems = [] if ready else ["the cluster has not been read yet"]
    return JSONResponse({"ok": ready, "problems": problems}, 200 if ready else 503)
