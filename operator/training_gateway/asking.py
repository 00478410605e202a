"""What FastAPI hands to the handlers: the services, and whoever asks."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from training_gateway.gate import ANONYMOUS, User, too_many
from training_gateway.middleware import current_user
from training_gateway.services import Services

scheme = HTTPBearer(auto_error=False, description="A token that is for the audience of this gateway.")


def services_of(request: Request) -> Services:
    return cast(Services, request.app.state.services)


Served = Annotated[Services, Depends(services_of)]


async def authenticated(request: Request, services: Served, _: Annotated[object, Depends(scheme)]) -> User:
    """Refusal: 401 without a token that is good, 429 for more requests than one may make."""
    peer = request.client.host if request.client else ""
    user = await services.gate.user(request.headers.getlist("authorization"), peer)
    return _counted(services, user, user.name)


async def reader(request: Request, services: Served, bearer: Annotated[object, Depends(scheme)]) -> User:
    """The same; where anonymous reading is allowed a request without a token is one of nobody in particular."""
    if services.settings.anonymous_read and "authorization" not in request.headers:
        return _counted(services, ANONYMOUS, f"anonymous {request.client.host if request.client else ''}")
    return await authenticated(request, services, bearer)


def _counted(services: Services, user: User, counted_as: str) -> User:
    current_user.get([""])[0] = user.name
    if wait := services.rates.wait(counted_as):
        raise too_many(wait)
    return user


Asker = Annotated[User, Depends(authenticated)]
Reader = Annotated[User, Depends(reader)]
