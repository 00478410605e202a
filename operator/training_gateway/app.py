"""The application: routes, what errors become, and what holds for every request."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from training_gateway import middleware, page_files
from training_gateway.answers import refused
from training_gateway.documents import ERRORS
from training_gateway.fallback import Fallback
from training_gateway.fields import named, request_errors
from training_gateway.gate import Gate
from training_gateway.objects import MANAGER
from training_gateway.rates import Rates
from training_gateway.refusal import FieldError, Refusal, unavailable
from training_gateway.routes import datasets, jobs, operation, outcome, streams, submitting, training
from training_gateway.services import Services
from training_gateway.settings import Settings
from training_gateway.store import JobStore
from training_gateway.telemetry import Telemetry
from trainingjob_api.contract import RELEASE
from trainingjob_client.api import Api
from trainingjob_client.errors import (
    ClientError,
    ConflictError,
    ForbiddenError,
    ManifestError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

logger = logging.getLogger(__name__)
PREFIX = "/api/v1/epoch-training"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
Connect = Callable[[], Awaitable[Api]]


async def connect() -> Api:
    return await Api.connect(field_manager=MANAGER)


def application(settings: Settings, connect: Connect = connect) -> FastAPI:
    """Connects when it begins to serve."""

    telemetry = Telemetry()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with await connect() as api:
            gate = Gate(api, settings.audience, settings.development_token)
            rates = Rates(settings.requests_per_second, settings.burst)
            services = Services(settings, api, gate, JobStore(), rates, telemetry)
            telemetry.watch(lambda: services.open_streams, lambda: len(services.store.views()))
            app.state.services = services
            following = asyncio.create_task(services.store.follow(api, settings.namespaces))
            try:
                yield
            finally:
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following

    app = FastAPI(title="TrainingJob", version=RELEASE, lifespan=lifespan, redoc_url=None, docs_url=None)
    routers = [routes.router for routes in (training, streams, outcome, jobs, submitting, datasets)]
    for router in routers:
        app.include_router(router, prefix=PREFIX, responses=ERRORS)
    app.include_router(operation.router)
    app.add_route("/api/{rest:path}", Fallback(routers, PREFIX).__call__, METHODS, include_in_schema=False)
    page_files.mount(app)
    _explain_errors(app)
    if settings.cors_origins:
        headers = ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-ID"]
        methods = ["GET", "POST", "DELETE"]
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=methods,
            allow_headers=headers,
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(
        middleware.Frame, seconds=settings.request_seconds, observe=telemetry.note, log=middleware.log_line
    )
    return app


def _explain_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return refused(error, request.scope["request_id"])

    @app.exception_handler(ClientError)
    async def client(request: Request, error: Exception) -> Response:
        assert isinstance(error, ClientError)
        return refused(refusal_of(error), request.scope["request_id"])

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = tuple(request_errors(error.errors()))
        told = "; ".join(f"{each.field}: {each.message}" for each in errors)
        return refused(Refusal(422, told, errors), request.scope["request_id"])

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        told = str(error.detail)
        return refused(Refusal(error.status_code, told, headers=dict(error.headers or {})), request.scope["request_id"])


def refusal_of(error: ClientError) -> Refusal:
    """What an error of the API server is to whoever asked the gateway."""
    match error:
        case UnavailableError():
            return unavailable(error.retry_after or 2.0)
        case RefusedError():
            errors = tuple(FieldError(named(field), message) for field, message in error.causes)
            return Refusal(422, "; ".join(f"{each.field}: {each.message}" for each in errors) or str(error), errors)
        case ManifestError():
            return Refusal(422, str(error), (FieldError("body", str(error)),))
        case NotFoundError():
            return Refusal(404, str(error))
        case ConflictError():
            return Refusal(409, str(error))
        case ForbiddenError():
            return Refusal(403, str(error))
        case _:
            logger.error("the API server: %s", error)
            return unavailable()
