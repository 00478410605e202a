"""Reads what a pod refers to: ConfigMaps, Secrets, claims, tokens. What is missing is said as the kubelet says it."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cluster.node.api import Api, ApiError, Object
from local_cluster.node.models import Keyed, KeyReference, Pod

_KINDS: Mapping[Keyed, str] = {"configmaps": "configmap", "secrets": "secret"}
_FORBIDDEN_TRIES, _FORBIDDEN_PAUSE = 10, 0.1


class NotReadyError(Exception):
    """Something that a container needs is not there yet; it is looked for again after a while."""

    def __init__(self, reason: str, message: str, later: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.later = later or reason
        """The reason from the second time on."""


class MissingError(Exception):
    """An object or a key that a pod refers to does not exist."""


@dataclass(frozen=True)
class Sources:
    """The API, as far as one pod refers to it."""

    api: Api
    pod: Pod

    async def entries(self, kind: Keyed, name: str) -> Mapping[str, bytes]:
        """All entries of a ConfigMap or a Secret of the pod's namespace."""
        found = await self._get(f"{self._namespace}/{kind}/{name}", f'{_KINDS[kind]} "{name}" not found')
        plain, encoded = found.get("data") or {}, found.get("binaryData") or {}
        if kind == "secrets":
            plain, encoded = {}, plain
        texts = {key: str(value).encode() for key, value in plain.items()}
        return texts | {key: base64.b64decode(value) for key, value in encoded.items()}

    async def key(self, reference: KeyReference) -> str | None:
        """One entry as text; None when it is missing and may be."""
        try:
            entries = await self.entries(reference.kind, reference.name)
            if reference.key not in entries:
                where = f"{_KINDS[reference.kind]} {self.pod.namespace}/{reference.name}"
                raise MissingError(f"couldn't find key {reference.key} in {where}")
        except MissingError:
            if reference.optional:
                return None
            raise
        return entries[reference.key].decode(errors="replace")

    async def claim_path(self, claim: str) -> Path:
        """The directory behind a bound claim."""
        path = f"{self._namespace}/persistentvolumeclaims/{claim}"
        bound = await self._get(path, f'persistentvolumeclaim "{claim}" not found')
        name = (bound.get("spec") or {}).get("volumeName")
        if not name:
            raise MissingError(f'persistentvolumeclaim "{claim}" is not bound')
        volume = await self._get(f"/api/v1/persistentvolumes/{name}", f'persistentvolume "{name}" not found')
        source = volume["spec"].get("hostPath") or volume["spec"].get("local")
        if not source:
            raise MissingError(f'persistentvolume "{name}" is neither hostPath nor local')
        return Path(source["path"])

    async def token(self, audience: str, seconds: int) -> str:
        """A token of the pod's service account, bound to the pod."""
        bound = {"apiVersion": "v1", "kind": "Pod", "name": self.pod.name, "uid": self.pod.uid}
        spec: Object = {"expirationSeconds": seconds, "boundObjectRef": bound}
        if audience:
            spec["audiences"] = [audience]
        path = f"{self._namespace}/serviceaccounts/{self.pod.service_account}/token"
        missing = f'serviceaccount "{self.pod.service_account}" not found'
        answer = await self._patiently(lambda: self.api.post(path, {"spec": spec}), missing)
        return str(answer["status"]["token"])

    @property
    def _namespace(self) -> str:
        return f"/api/v1/namespaces/{self.pod.namespace}"

    async def _get(self, path: str, missing: str) -> Object:
        return await self._patiently(lambda: self.api.get(path), missing)

    async def _patiently(self, request: Callable[[], Awaitable[Object]], missing: str) -> Object:
        """The node may use only what its pods refer to, which the authorizer learns a moment after the binding."""
        for attempt in range(_FORBIDDEN_TRIES):
            try:
                return await request()
            except ApiError as error:
                if error.is_not_found:
                    raise MissingError(missing) from error
                if error.status != 403 or attempt == _FORBIDDEN_TRIES - 1:
                    raise MissingError(str(error)) from error
            await asyncio.sleep(_FORBIDDEN_PAUSE)
        raise AssertionError("the last try raises")
