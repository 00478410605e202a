"""The API server's front: method, path and body in, code and body out, as the operator's client sends them."""

import json
from dataclasses import dataclass

from trainingjob_api.contract import JOB_NAME_LABEL
from unit.operator.world.api import ApiServer, RefusalError
from unit.operator.world.objects import Raw

LABELLED = {"jobs", "pods"}


@dataclass(frozen=True)
class Call:
    """One request, taken apart."""

    method: str
    plural: str
    name: str
    subresource: str
    query: dict[str, str]
    body: Raw

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    @property
    def counts(self) -> bool:
        """A write that is not merely an Event."""
        return self.is_write and self.plural != "events"

    def __str__(self) -> str:
        return " ".join([self.method, "/".join(part for part in (self.plural, self.name, self.subresource) if part)])


def parse(method: str, path: str, query: dict[str, str], body: Raw | None) -> Call:
    parts = path.strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:]  # without group and version
    if parts[0] == "namespaces":
        parts = parts[2:]
    plural, name, subresource = [*parts, "", ""][:3]
    return Call(method, plural, name, subresource, query, body or {})


@dataclass(frozen=True)
class Endpoint:
    """Answers calls from what the server holds."""

    api: ApiServer

    def answer(self, call: Call) -> tuple[int, bytes]:
        self.api.is_operator_calling = True
        try:
            return 200, json.dumps(self._answer(call)).encode()
        except RefusalError as refusal:
            return status(refusal.code, refusal.reason, str(refusal))
        finally:
            self.api.is_operator_calling = False

    def _answer(self, call: Call) -> Raw:
        metadata = call.body.get("metadata", {})
        uid, version = metadata.get("uid"), metadata.get("resourceVersion")
        match call.method:
            case "GET" if call.name:
                return self._get(call)
            case "GET":
                return self._list(call)
            case "POST":
                return self.api.create(call.plural, call.body)
            case "PUT" if call.subresource == "status":
                _check(call.body["status"])
                return self.api.replace_status(call.plural, call.name, call.body["status"], uid, version)
            case "PUT":
                return self.api.change(call.plural, call.name, call.body, uid, version)
            case "PATCH":
                patch = {**call.body, "metadata": {k: v for k, v in metadata.items() if k != "resourceVersion"}}
                return self.api.change(call.plural, call.name, patch, uid, version)
            case "DELETE":
                return self._delete(call)
        raise RefusalError(405, "MethodNotAllowed", str(call))

    def _get(self, call: Call) -> Raw:
        raw = self.api.get(call.plural, call.name)
        if raw is None:
            raise RefusalError(404, "NotFound", f"{call} not found")
        return raw

    def _list(self, call: Call) -> Raw:
        _, _, owner = call.query.get("labelSelector", "").partition("=")
        items = [raw for raw in self.api.objects(call.plural) if _matches(call.plural, raw, owner)]
        return {"items": items, "metadata": {"resourceVersion": str(self.api.version)}}

    def _delete(self, call: Call) -> Raw:
        conditions = call.body.get("preconditions", {})
        policy = call.body.get("propagationPolicy", "Background")
        self.api.delete(call.plural, call.name, conditions.get("uid"), conditions.get("resourceVersion"), policy)
        return {"status": "Success"}


def _check(value: object, path: str = "status") -> None:
    """Of the schema only this: whole numbers have 64 bits."""
    if isinstance(value, int) and abs(value) >= 2**63:
        raise RefusalError(422, "Invalid", f"{path}: Invalid value: {value}")
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            _check(inner, f"{path}.{name}")


def _matches(plural: str, raw: Raw, owner: str) -> bool:
    if plural not in LABELLED:
        return True
    label = raw["metadata"].get("labels", {}).get(JOB_NAME_LABEL)
    return label is not None and owner in ("", label)


def status(code: int, reason: str, message: str) -> tuple[int, bytes]:
    """A metav1.Status."""
    return code, json.dumps({"kind": "Status", "reason": reason, "message": message, "code": code}).encode()
