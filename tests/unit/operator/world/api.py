"""An API server in memory: versions, preconditions, finalizers, and an event for every change."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from unit.operator.world.clock import Clock
from unit.operator.world.objects import NAMESPACE, Raw, is_over, merged, name_of, uid_of


class RefusalError(Exception):
    """The server says no."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Event:
    """One change, as a watch shows it."""

    type: str
    plural: str
    raw: Raw
    before: Raw | None
    """None: the object is new."""
    by_operator: bool = False


class ApiServer:
    """Objects by kind and name, all in one namespace. Who watches is told within the call that changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._objects: dict[str, dict[str, Raw]] = {}
        self._uids = count(1)
        self.version = 1000
        self.is_operator_calling = False
        self.watchers: list[Callable[[Event], None]] = []
        self.admission: list[Callable[[str, Raw, Raw | None], Raw]] = []
        """Webhooks: kind, the object as it shall be, and as it is."""

    # Read

    def objects(self, plural: str) -> list[Raw]:
        return list(self._objects.get(plural, {}).values())

    def get(self, plural: str, name: str) -> Raw | None:
        return self._objects.get(plural, {}).get(name)

    def by_uid(self, plural: str, uid: str) -> Raw | None:
        return next((raw for raw in self.objects(plural) if uid_of(raw) == uid), None)

    # Write

    def create(self, plural: str, manifest: Raw) -> Raw:
        name = name_of(manifest)
        if self.get(plural, name) is not None:
            raise RefusalError(409, "AlreadyExists", f'{plural} "{name}" already exists')
        raw = copy.deepcopy(manifest)
        for admit in self.admission:
            raw = admit(plural, raw, None)
        given = {"uid": f"uid-{next(self._uids)}", "generation": 1, "creationTimestamp": self._clock.stamp()}
        raw = {**raw, "metadata": {"namespace": NAMESPACE, **raw["metadata"], **given}, "status": raw.get("status", {})}
        return self._commit("ADDED", plural, raw, None)

    def change(self, plural: str, name: str, patch: Raw, uid: str | None = None, version: str | None = None) -> Raw:
        """Merge the patch into the object; nothing happens if that changes nothing."""
        before = self._seen(plural, name, uid, version)
        raw = merged(before, patch)
        for admit in self.admission if "spec" in patch else []:
            raw = admit(plural, raw, before)
        if raw == before:
            return before
        if raw.get("spec") != before.get("spec"):
            raw["metadata"] = {**raw["metadata"], "generation": before["metadata"]["generation"] + 1}
        return self._settle(plural, raw, before)

    def replace_status(self, plural: str, name: str, status: Raw, uid: str | None, version: str | None) -> Raw:
        before = self._seen(plural, name, uid, version)
        return before if status == before["status"] else self._settle(plural, {**before, "status": status}, before)

    def delete(
        self,
        plural: str,
        name: str,
        uid: str | None = None,
        version: str | None = None,
        policy: str = "Background",
        grace: float | None = None,
    ) -> None:
        """A pod that runs gets its grace period; what has finalizers stays until they are gone."""
        raw = self._seen(plural, name, uid, version)
        seconds = _grace(plural, raw) if grace is None else grace
        finalizers = raw["metadata"].get("finalizers", [])
        extra = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(policy, [])
        update: Raw = {"finalizers": sorted({*finalizers, *extra}), "deletionGracePeriodSeconds": seconds}
        if "deletionTimestamp" not in raw["metadata"]:
            update["deletionTimestamp"] = self._clock.stamp(seconds)
        elif seconds >= raw["metadata"]["deletionGracePeriodSeconds"] and not extra:
            return
        self._settle(plural, merged(raw, {"metadata": update}), raw)

    # How

    def _seen(self, plural: str, name: str, uid: str | None, version: str | None) -> Raw:
        raw = self.get(plural, name)
        if raw is None:
            raise RefusalError(404, "NotFound", f'{plural} "{name}" not found')
        if uid not in (None, uid_of(raw)) or version not in (None, raw["metadata"]["resourceVersion"]):
            raise RefusalError(409, "Conflict", f'{plural} "{name}": the object has been modified')
        return raw

    def _settle(self, plural: str, raw: Raw, before: Raw) -> Raw:
        metadata = raw["metadata"]
        is_gone = (
            "deletionTimestamp" in metadata
            and not metadata.get("finalizers")
            and not metadata["deletionGracePeriodSeconds"]
        )
        return self._commit("DELETED" if is_gone else "MODIFIED", plural, raw, before)

    def _commit(self, type: str, plural: str, raw: Raw, before: Raw | None) -> Raw:
        self.version += 1
        raw = {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(self.version)}}
        objects = self._objects.setdefault(plural, {})
        if type == "DELETED":
            del objects[name_of(raw)]
        else:
            objects[name_of(raw)] = raw
        event = Event(type, plural, raw, before, self.is_operator_calling)
        for watcher in self.watchers:
            watcher(event)
        return raw


def _grace(plural: str, raw: Raw) -> float:
    if plural != "pods" or is_over(raw) or not raw["spec"].get("nodeName"):
        return 0
    return float(raw["spec"].get("terminationGracePeriodSeconds", 30))
