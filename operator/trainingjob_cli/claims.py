"""What lies in a claim, taken out and put in: straight from the directory where the cluster is this machine, by a
short-lived pod elsewhere."""

import asyncio
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from trainingjob_cli.file_pod import CONTAINER, MOUNT, file_pod
from trainingjob_client import ClientError, NotFoundError
from trainingjob_client.api import Api
from trainingjob_client.resources import CLAIMS, PODS, VOLUMES

LOCAL_PROVISIONER = "trainingjob.dev/local-directory"
"""Of the embedded cluster, whose volumes are directories of this machine."""
_MADE_BY = "pv.kubernetes.io/provisioned-by"
_CHUNK = 256 * 1024
_PATIENCE = 120.0  # seconds until the pod runs


@dataclass(frozen=True)
class Entry:
    """A file or a folder directly below another; of a folder the size is that of all that is in it."""

    name: str
    size: int
    changed: float
    """Unix seconds."""


class Files(Protocol):
    """Of one claim; paths are relative to its root."""

    async def entries(self, folder: str) -> list[Entry]: ...

    async def take(self, folder: str, names: Sequence[str], to: Path) -> None: ...

    async def put(self, files: Sequence[Path], folder: str) -> None: ...


@asynccontextmanager
async def opened(api: Api, namespace: str, claim: str, image: str, *, write: bool) -> AsyncIterator[Files]:
    """ClientError when there is no such claim."""
    try:
        found = await api.get(CLAIMS, claim, namespace)
    except NotFoundError:
        raise ClientError(f"there is no claim {claim} in namespace {namespace}: kubectl get pvc") from None
    directory = await _directory(api, found)
    if directory is not None:
        yield Directory(directory)
        return
    name = await _started(api, namespace, file_pod(claim, image, write=write))
    try:
        yield ByPod(api, namespace, name)
    finally:
        await api.delete(PODS, name, namespace, grace_seconds=0)


async def _directory(api: Api, claim: dict[str, Any]) -> Path | None:
    """Of a volume of the embedded cluster, where this is its machine."""
    annotations = claim["metadata"].get("annotations") or {}
    if LOCAL_PROVISIONER not in annotations.values() or not claim["spec"].get("volumeName"):
        return None
    volume = await api.get(VOLUMES, claim["spec"]["volumeName"])
    path = (volume["spec"].get("hostPath") or {}).get("path") or "/nowhere"
    is_local = (volume["metadata"].get("annotations") or {}).get(_MADE_BY) == LOCAL_PROVISIONER
    return Path(path) if is_local and os.path.isdir(path) else None  # noqa: ASYNC240


async def _started(api: Api, namespace: str, manifest: dict[str, Any]) -> str:
    name = str((await api.create(PODS, manifest, namespace))["metadata"]["name"])
    try:
        async with asyncio.timeout(_PATIENCE):
            while (state := await api.get(PODS, name, namespace))["status"].get("phase") != "Running":
                if state["status"].get("phase") in ("Failed", "Succeeded"):
                    raise ClientError(f"pod {name}, which was to reach the claim, has ended at once")
                await asyncio.sleep(0.5)
    except (TimeoutError, asyncio.CancelledError, ClientError) as error:
        await api.delete(PODS, name, namespace, grace_seconds=0)
        if isinstance(error, TimeoutError):
            raise ClientError(
                f"pod {name}, which was to reach the claim, did not run within {_PATIENCE:g} s"
            ) from error
        raise
    return name


@dataclass(frozen=True)
class Directory:
    """A claim that is a directory of this machine."""

    root: Path

    async def entries(self, folder: str) -> list[Entry]:
        return await asyncio.to_thread(_entries, self.root / folder)

    async def take(self, folder: str, names: Sequence[str], to: Path) -> None:
        await asyncio.to_thread(_copy, [self.root / folder / name for name in names], to)

    async def put(self, files: Sequence[Path], folder: str) -> None:
        await asyncio.to_thread(_copy, files, self.root / folder)


def _entries(folder: Path) -> list[Entry]:
    if not folder.is_dir():
        return []
    return [Entry(each.name, _size(each), each.stat().st_mtime) for each in sorted(folder.iterdir())]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(_size(each) for each in path.iterdir())


def _copy(paths: Sequence[Path], to: Path) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
        for path in paths:
            if path.is_dir():
                shutil.copytree(path, to / path.name, dirs_exist_ok=True)
            else:
                shutil.copy2(path, to / path.name)
    except OSError as error:
        raise ClientError(f"{error.filename} cannot be copied: {error.strerror}") from error


_LIST = """
import json, os, sys
def size(path):
    if os.path.isdir(path):
        return sum(size(os.path.join(path, name)) for name in os.listdir(path))
    return os.path.getsize(path)
folder = sys.argv[1]
names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
found = [(name, os.path.join(folder, name)) for name in names]
print(json.dumps([[name, size(path), os.path.getmtime(path)] for name, path in found]))
"""


@dataclass(frozen=True)
class ByPod:
    """A claim that is reached by commands in a pod."""

    api: Api
    namespace: str
    pod: str

    async def entries(self, folder: str) -> list[Entry]:
        said = [part async for part in self._run(["python3", "-c", _LIST, f"{MOUNT}/{folder}"])]
        return [Entry(*each) for each in json.loads(b"".join(said))]

    async def take(self, folder: str, names: Sequence[str], to: Path) -> None:
        with tempfile.TemporaryFile() as archive:
            async for part in self._run(["tar", "-cf", "-", "-C", f"{MOUNT}/{folder}", "--", *names]):
                await asyncio.to_thread(archive.write, part)
            await asyncio.to_thread(_unpack, archive, to)

    async def put(self, files: Sequence[Path], folder: str) -> None:
        target = f"{MOUNT}/{folder}".rstrip("/")
        script = 'mkdir -p "$0" && exec tar -xf - --no-same-owner -C "$0"'
        with tempfile.TemporaryFile() as archive:
            await asyncio.to_thread(_pack, files, archive)
            async for _ in self._run(["sh", "-c", script, target], _chunks(archive)):
                pass

    async def _run(self, command: list[str], feed: AsyncIterator[bytes] | None = None) -> AsyncGenerator[bytes, None]:
        async with aclosing(self.api.exec(self.namespace, self.pod, CONTAINER, command, feed)) as parts:
            async for part in parts:
                yield part


def _unpack(archive: IO[bytes], to: Path) -> None:
    """Nothing of it leaves the folder."""
    archive.seek(0)
    to.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=archive) as opened:
        opened.extractall(to, filter="data")


def _pack(files: Sequence[Path], archive: IO[bytes]) -> None:
    with tarfile.open(fileobj=archive, mode="w") as opened:
        for file in files:
            opened.add(file, file.name)
    archive.seek(0)


async def _chunks(archive: IO[bytes]) -> AsyncGenerator[bytes, None]:
    while chunk := await asyncio.to_thread(archive.read, _CHUNK):
        yield chunk
