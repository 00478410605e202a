"""Paths that there are not, and methods that a path does not know. The page at `/` would answer for them otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True)
class Fallback:
    """Behind the routes of these routers, which have a prefix."""

    routers: Iterable[APIRouter]
    prefix: str

    async def __call__(self, request: Request) -> Response:
        path = request.url.path.removeprefix(self.prefix)
        routes = [route for router in self.routers for route in router.routes if isinstance(route, APIRoute)]
        methods = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
        if not methods:
            raise HTTPException(404, f"there is no {request.url.path}")
        known = ", ".join(sorted(methods))
        raise HTTPException(405, f"{request.url.path} knows {known}", {"Allow": known})
