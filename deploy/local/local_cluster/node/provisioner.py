"""Storage: makes a directory for every claim of the default class, and a volume bound to it; deletes both when the
claim is gone. The binding itself is done by the controllers, as with any provisioner."""

import asyncio
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from local_cluster.node.api import Api, ApiError, Changed, Deleted, Listed, Object

log = logging.getLogger(__name__)

PROVISIONER = "trainingjob.dev/local-directory"
_WANTED = "volume.kubernetes.io/storage-provisioner"
_MADE_BY = "pv.kubernetes.io/provisioned-by"


@dataclass(frozen=True)
class Provisioner:
    api: Api
    folder: Path

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_claims())
            group.create_task(self._watch_volumes())

    async def _watch_claims(self) -> None:
        async for change in self.api.watch("/api/v1/persistentvolumeclaims"):
            for claim in _present(change):
                if _is_wanted(claim):
                    await self._provision(claim)

    async def _watch_volumes(self) -> None:
        async for change in self.api.watch("/api/v1/persistentvolumes"):
            for volume in _present(change):
                if _is_released(volume):
                    await self._delete(volume)

    async def _provision(self, claim: Object) -> None:
        metadata, spec = claim["metadata"], claim["spec"]
        name = f"pvc-{metadata['uid']}"
        path = self.folder / metadata["namespace"] / f"{metadata['name']}-{metadata['uid'][:8]}"
        path.mkdir(parents=True, exist_ok=True)
        reference = {key: metadata[key] for key in ("namespace", "name", "uid")}
        volume = {
            "metadata": {"name": name, "annotations": {_MADE_BY: PROVISIONER}},
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "accessModes": spec["accessModes"],
                "storageClassName": spec["storageClassName"],
                "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference},
                "hostPath": {"path": str(path), "type": "Directory"},
            },
        }
        try:
            await self.api.post("/api/v1/persistentvolumes", volume)
        except ApiError as error:
            if not error.is_conflict:  # it was made before, and only the binding is still to come
                log.warning("no volume for %s/%s: %s", metadata["namespace"], metadata["name"], error)

    async def _delete(self, volume: Object) -> None:
        path = Path(volume["spec"]["hostPath"]["path"])
        if self.folder in path.parents:  # nothing else is ours to delete, whatever the object says
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        try:
            await self.api.delete(f"/api/v1/persistentvolumes/{volume['metadata']['name']}")
        except ApiError as error:
            if not error.is_not_found:
                log.warning("volume %s: %s", volume["metadata"]["name"], error)


def _present(change: Listed | Changed | Deleted) -> tuple[Object, ...]:
    match change:
        case Listed(objects):
            return objects
        case Changed(one):
            return (one,)
    return ()


def _is_wanted(claim: Object) -> bool:
    annotations = claim["metadata"].get("annotations") or {}
    is_pending = claim.get("status", {}).get("phase", "Pending") == "Pending"
    is_deleted = "deletionTimestamp" in claim["metadata"]
    return annotations.get(_WANTED) == PROVISIONER and is_pending and not is_deleted


def _is_released(volume: Object) -> bool:
    annotations = volume["metadata"].get("annotations") or {}
    is_ours = annotations.get(_MADE_BY) == PROVISIONER and "hostPath" in volume["spec"]
    is_over = volume.get("status", {}).get("phase") in ("Released", "Failed")
    wants_deletion = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    return is_ours and is_over and wants_deletion and "deletionTimestamp" not in volume["metadata"]
