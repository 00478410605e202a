"""Answers as JSON."""

from typing import Any

from starlette.responses import JSONResponse

from training_gateway.refusal import Refusal


def refused(refusal: Refusal, request_id: str = "") -> JSONResponse:
    """{success: false, message, errors?, state?, request_id}."""
    content: dict[str, Any] = {"success": False, "message": refusal.message}
    if refusal.errors:
        content["errors"] = [{"field": each.field, "message": each.message} for each in refusal.errors]
    if refusal.state is not None:
        content["state"] = refusal.state
    return JSONResponse({**content, "request_id": request_id}, refusal.code, refusal.headers)
