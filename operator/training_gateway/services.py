"""What the routes work with, and how a request finds its user and its task."""

from dataclasses import dataclass, field

from training_gateway.gate import ANONYMOUS, Action, Gate, User
from training_gateway.identity import TaskIds, is_task_id, key_of
from training_gateway.rates import Rates
from training_gateway.refusal import FieldError, Refusal, invalid, not_found
from training_gateway.settings import Settings
from training_gateway.store import JobStore
from training_gateway.telemetry import Telemetry
from training_gateway.views import View
from trainingjob_api.contract import TASK_LABEL
from trainingjob_client.api import Api
from trainingjob_client.errors import NotFoundError
from trainingjob_client.job import Job
from trainingjob_client.resources import TRAINING_JOBS


@dataclass
class Services:
    """One of each, for all requests."""

    settings: Settings
    api: Api
    gate: Gate
    store: JobStore
    rates: Rates
    telemetry: Telemetry
    task_ids: TaskIds = field(default_factory=TaskIds)
    open_streams: int = 0

    def namespace(self, wanted: str | None, field: str = "namespace") -> str:
        """The one that is meant. Refusal (422) for one that is not served."""
        namespace = wanted or self.settings.default_namespace
        if not self.settings.serves(namespace):
            served = ", ".join(self.settings.namespaces)
            raise invalid(FieldError(field, f"must be one of {served}"))
        return namespace

    async def view(self, task_id: str, user: User, verb: str, namespace: str | None = None) -> View:
        """The task, if the user may do this with it. Refusal: 404 for what one may not even see, 403, or 409."""
        if (key := key_of(task_id)) is not None:
            return await self._by_key(task_id, key, user, verb)
        found = [view for view in await self._by_task_id(task_id, namespace) if await self._sees(user, view)]
        if not found:
            raise not_found(task_id)
        if len(found) > 1:
            where = ", ".join(view.job.namespace for view in found)
            raise Refusal(409, f"there are several tasks {task_id}: add ?namespace= one of {where}")
        await self._require(user, verb, found[0].job.namespace)
        return found[0]

    async def _by_key(self, task_id: str, key: tuple[str, str], user: User, verb: str) -> View:
        if not self.settings.serves(key[0]):
            raise not_found(task_id)
        await self._require(user, "get", key[0])
        await self._require(user, verb, key[0])
        known = self.store.get(key)
        if known is not None:
            return known.view
        try:
            return View(Job(await self.api.get(TRAINING_JOBS, key[1], key[0])))
        except NotFoundError:
            raise not_found(task_id) from None

    async def _by_task_id(self, task_id: str, namespace: str | None) -> list[View]:
        """From memory, or, of one that was made a moment ago, from the API server."""
        if not is_task_id(task_id):
            return []
        found = [known.view for known in self.store.by_task_id(task_id)] or [*map(View, await self.labelled(task_id))]
        return [view for view in found if namespace in (None, view.job.namespace)]

    async def labelled(self, task_id: str) -> list[Job]:
        """Those that have this id at this moment, as the API server says."""
        found: list[Job] = []
        for scope in self.settings.namespaces or (None,):
            answer = await self.api.list(TRAINING_JOBS, scope, labels=f"{TASK_LABEL}={task_id}")
            found += map(Job, answer["items"])
        return found

    async def _sees(self, user: User, view: View) -> bool:
        return user is ANONYMOUS or await self.gate.may(user, Action("get", view.job.namespace))

    async def _require(self, user: User, verb: str, namespace: str) -> None:
        if user is not ANONYMOUS:
            await self.gate.require(user, Action(verb, namespace))

    async def may_list(self, user: User, namespace: str) -> bool:
        """In this namespace, or wherever."""
        if await self.gate.may(user, Action("list", "")):
            return True
        return await self.gate.may(user, Action("list", namespace))
