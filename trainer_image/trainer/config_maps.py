"""ConfigMaps that a manifest brings along: files and variables, as in a pod."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from trainer.errors import UserError
from trainingjob_api.spec import Pod
from trainingjob_api.spec.pod import ConfigMapVolume

ConfigMaps = Mapping[str, Mapping[str, Any]]
"""By name."""


def config_maps_in(documents: Sequence[Mapping[str, Any]]) -> ConfigMaps:
    """Those of one file."""
    maps = {name_of(document): document for document in documents if document.get("kind") == "ConfigMap"}
    if None in maps:
        raise UserError("a ConfigMap in the manifest has no metadata.name: give it the name that a volume asks for")
    return {name: document for name, document in maps.items() if name is not None}


def name_of(document: Mapping[str, Any]) -> str | None:
    """Of an object; None if it has none."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else None


def mounts_of(config_maps: ConfigMaps, pod: Pod, scratch: Path) -> dict[str, str]:
    """Where each mountPath of a ConfigMap lies once its files are written below scratch."""
    volumes = {volume.name: volume.config_map for volume in pod.volumes or []}
    mounts: dict[str, str] = {}
    for mount in pod.volume_mounts or []:
        source = volumes.get(mount.name)
        if source is not None and source.name in config_maps:
            folder = scratch / mount.name
            _write_files(folder, source, config_maps[source.name])
            mounts[mount.mount_path] = str(folder / (mount.sub_path or ""))
    return mounts


def _write_files(folder: Path, source: ConfigMapVolume, config_map: Mapping[str, Any]) -> None:
    content = {key: text.encode() for key, text in texts_in(source.name, "data", config_map).items()}
    try:
        content |= {
            key: base64.b64decode(text) for key, text in texts_in(source.name, "binaryData", config_map).items()
        }
    except ValueError as error:  # letters that are not ASCII are no binascii.Error
        raise UserError(f"ConfigMap {source.name}: binaryData is not base64: {error}") from error
    wanted = {item.key: item.path for item in source.items} if source.items else {key: key for key in content}
    for key, path in wanted.items():
        if key not in content or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise UserError(f"ConfigMap {source.name}: the volume's item {key!r} -> {path!r} is not possible")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content[key])


def texts_in(name: str, field: str, config_map: Mapping[str, Any]) -> dict[str, str]:
    """What a field of a ConfigMap holds; a UserError names what the API server would refuse."""
    content = config_map.get(field) or {}
    if not isinstance(content, dict):
        raise UserError(f"ConfigMap {name}: {field} must map names to strings, not be {content!r}")
    for key, text in content.items():
        if not isinstance(text, str):
            raise UserError(f"ConfigMap {name}: {field}.{key} must be text: put it in quotes")
    return content
