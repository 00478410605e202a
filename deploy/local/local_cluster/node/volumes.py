"""Makes a pod's volumes: directories of this machine, filled where the node is the one who fills them.
Not honoured, for want of root: readOnly, sizeLimit, tmpfs for medium Memory, fsGroup."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cluster.node.expansion import expand
from local_cluster.node.fields import Fields
from local_cluster.node.models import (
    Claim,
    Container,
    DownwardSource,
    EmptyDirectory,
    EntriesSource,
    Files,
    HostPath,
    Item,
    Mount,
    TokenSource,
    Unsupported,
    Volume,
)
from local_cluster.node.sources import MissingError, NotReadyError, Sources

File = tuple[bytes, int | None]
"""Content, and a mode where one is given."""


@dataclass(frozen=True)
class Volumes:
    """The volumes of one pod. `prepare` may be called again: after a failure, after a restart of the node."""

    folder: Path
    fields: Fields
    sources: Sources

    async def prepare(self) -> Mapping[str, Path]:
        """The real path of every volume. NotReadyError when something that a volume shows is missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = {}
        for name, volume in self.fields.pod.volumes.items():
            try:
                paths[name] = await self._prepare(name, volume)
            except (MissingError, OSError) as problem:
                message = f'MountVolume.SetUp failed for volume "{name}": {problem}'
                raise NotReadyError("ContainerCreating", message) from problem
        return paths

    async def _prepare(self, name: str, volume: Volume) -> Path:
        path = self.folder / name
        match volume:
            case EmptyDirectory():
                path.mkdir(exist_ok=True)
                path.chmod(0o777)
                return path
            case HostPath():
                return _host_path(volume)
            case Claim(claim):
                return await self.sources.claim_path(claim)
            case Files():
                return await self._fill(path, volume)
            case Unsupported(kind):
                raise MissingError(f"volumes of kind {kind} are not supported here")

    async def _fill(self, path: Path, volume: Files) -> Path:
        files: dict[str, File] = {}
        for source in volume.sources:
            files |= await self._files(source)
        return _write(path, files, volume.mode)

    async def _files(self, source: EntriesSource | DownwardSource | TokenSource) -> dict[str, File]:
        match source:
            case EntriesSource():
                return await self._entries(source)
            case DownwardSource(files):
                return {file.path: (self.fields.text(file.source).encode(), file.mode) for file in files}
            case TokenSource(path, audience, seconds):
                return {path: ((await self.sources.token(audience, seconds)).encode(), 0o600)}

    async def _entries(self, source: EntriesSource) -> dict[str, File]:
        try:
            entries = await self.sources.entries(source.kind, source.name)
        except MissingError:
            if source.optional:
                return {}
            raise
        items = source.items or tuple(Item(key, key, None) for key in entries)
        for item in items:
            if item.key not in entries and not source.optional:
                raise MissingError(f"references non-existent config key: {item.key}")
        return {item.path: (entries[item.key], item.mode) for item in items if item.key in entries}


def _write(path: Path, files: dict[str, File], default_mode: int) -> Path:
    """Written beside and renamed into place, so that a volume is there whole or not at all."""
    if path.exists():  # from before a restart of the node
        return path
    new = path.with_name(f".{path.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for name, (content, mode) in files.items():
        target = new / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(default_mode if mode is None else mode)
    return new.rename(path)


def mount_paths(container: Container, volumes: Mapping[str, Path], variables: Mapping[str, str]) -> dict[str, str]:
    """Path in the container -> real path, for every mount; folders that a subPath names are made."""
    return {_normal(mount.path): str(_source(mount, volumes, variables)) for mount in container.mounts}


def _source(mount: Mount, volumes: Mapping[str, Path], variables: Mapping[str, str]) -> Path:
    source = volumes[mount.volume]
    if mount.sub_path:
        below = Path(expand(mount.sub_path, variables).lstrip("/"))
        if ".." in below.parts:
            raise NotReadyError("CreateContainerConfigError", f"subPath {below} leaves its volume")
        source = source / below
        if not source.exists():
            source.mkdir(parents=True)
    return source


def _normal(path: str) -> str:
    return "/" + path.strip("/")


def _host_path(volume: HostPath) -> Path:
    path = Path(volume.path)
    if volume.kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif volume.kind == "FileOrCreate":
        path.touch()
    elif volume.kind and not path.exists():
        raise MissingError(f"hostPath type check failed: {path} is not there")
    return path
