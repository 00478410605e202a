"""Lists: filter, order, pages. Pure."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from training_gateway.refusal import FieldError, invalid
from training_gateway.states import STATES
from training_gateway.views import View

Place = tuple[str, str, str]


@dataclass(frozen=True)
class Filter:
    """What is wanted; empty: everything."""

    states: frozenset[str] = frozenset()
    name: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, state: str, name: str, namespace: str) -> "Filter":
        """Refusal (422) for a state that there is not."""
        states = frozenset(part.strip() for part in state.split(",") if part.strip())
        if unknown := states - set(STATES):
            raise invalid(FieldError("state", f"{', '.join(sorted(unknown))}: must be some of {', '.join(STATES)}"))
        return cls(states, name.casefold(), namespace)

    def wants(self, view: View) -> bool:
        """By title, name of the object, or id."""
        if self.states and view.state not in self.states:
            return False
        if self.namespace and view.job.namespace != self.namespace:
            return False
        names = (str(view.item["name"]), view.job.name, view.task_id)
        return not self.name or any(self.name in name.casefold() for name in names)


def page_of(views: Iterable[View], limit: int, token: str) -> tuple[list[View], str | None]:
    """The newest first; those after the token's place, and the token of the next page, None after the last one."""
    ordered = sorted(views, key=_place, reverse=True)
    if token:
        place = _place_in(token)
        ordered = [view for view in ordered if _place(view) < place]
    page = ordered[:limit]
    return page, _token(_place(page[-1])) if len(ordered) > limit else None


def _place(view: View) -> Place:
    return str(view.item["created_at"] or ""), view.job.namespace, view.job.name


def _token(place: Place) -> str:
    return urlsafe_b64encode("/".join(place).encode()).decode().rstrip("=")


def _place_in(token: str) -> Place:
    try:
        created, namespace, name = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split("/")
    except (binascii.Error, ValueError):
        raise invalid(FieldError("page", "must be `next` of an earlier answer")) from None
    return created, namespace, name
