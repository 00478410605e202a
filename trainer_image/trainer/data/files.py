"""Where data lies: files, folders and globs, in mounted volumes or in object storage."""

import glob
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from trainer.config import Mounts
from trainer.errors import DataError, UserError

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "https": "aiohttp"}
_SHOWN = 20
_WHOLE = "set data.loading to memory, or copy it to a volume"
_BAD_CONTENT = (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""pyarrow's errors are ValueErrors and NotImplementedErrors."""


@dataclass(frozen=True)
class File:
    """One file. `name` is what the manifest would call it, `place` what its file system calls it."""

    name: str
    place: str
    system: Any

    @property
    def is_local(self) -> bool:
        return "file" in self.system.protocol

    def open(self) -> IO[bytes]:
        opened: IO[bytes] = self.system.open(self.place, "rb", **({} if self.is_local else {"cache_type": "none"}))
        return opened

    def stream(self) -> IO[bytes]:
        """To be read from its beginning to its end: some web servers can do no more."""
        if not self.is_remote_page:
            return self.open()
        opened: IO[bytes] = self.system.open(self.place, "rb", block_size=0)
        return opened

    @property
    def is_remote_page(self) -> bool:
        """On a web server."""
        return bool({"http", "https"} & set(self.system.protocol))

    def require_parts(self) -> None:
        """DataError if it can only be read as a whole."""
        if self.size() and not self.is_local:
            self.part(0, 1)

    def size(self) -> int:
        size = self.system.size(self.place)
        if size is None:
            raise DataError(f"{self.name}: the server does not say how long it is: {_WHOLE}")
        return int(size)

    def part(self, start: int, end: int) -> bytes:
        """The bytes from start to end."""
        content: bytes = self.system.cat_file(self.place, start=start, end=end)
        if len(content) != end - start:
            why = "has changed while it was read" if self.is_local else f"cannot be read in parts: {_WHOLE}"
            raise DataError(f"{self.name} {why}")
        return content

    def stamp(self) -> tuple[int, int] | None:
        """Size and time of the last change of a local file: other ones later mean that it has changed."""
        if not self.is_local:
            return None
        found = os.stat(self.place)
        return found.st_size, found.st_mtime_ns


PassedOver = Callable[[Sequence[str]], bool]
"""Whether something is no data, by the parts of its path below the place that was named."""


def private(parts: Sequence[str]) -> bool:
    """What programs keep beside tables: .ipynb_checkpoints, _SUCCESS, _temporary."""
    return any(part.startswith((".", "_")) for part in parts)


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, or matches a pattern; by name."""

    files: list[File]
    folders: list["Place"]
    passed_over: list[str]
    """Names below the folder."""


@dataclass(frozen=True)
class Place:
    """What a path of the manifest leads to: the part without wildcards, and the pattern below it."""

    name: str
    root: str
    pattern: str | None
    system: Any

    @property
    def file(self) -> File:
        return File(self.name, self.root, self.system)

    def is_folder(self) -> bool:
        if self.pattern or self.file.is_remote_page:
            return False
        with explained(self.file):
            return bool(self.system.isdir(self.root))

    def listing(self, is_passed_over: PassedOver = private) -> Listing:
        """The file itself, what the pattern matches, or what a folder holds."""
        if self.pattern is not None:
            found = self._listed(self.system.glob, f"{glob.escape(self.root)}/{self.pattern}")
        elif self.is_folder():
            found = self._listed(self.system.ls, self.root)
        else:
            return Listing([self.file], [], [])
        listing = Listing([], [], [])
        for place, kind in found:
            file = self._below(place)
            parts = self.name_of(file).split("/")
            if any(map(_is_the_systems, parts)):
                continue
            if is_passed_over(parts):
                listing.passed_over.append("/".join(parts))
            elif kind == "directory":
                listing.folders.append(Place(file.name, place, None, self.system))
            else:
                listing.files.append(file)
        return listing

    def name_of(self, file: File) -> str:
        """Below this place."""
        return file.name[len(self.name.rstrip("/")) :].strip("/")

    def require_files(self, files: Sequence[File]) -> None:
        """DataError says what is there instead."""
        if not files:
            what = f"nothing matches {self.pattern!r} in {self.name}" if self.pattern else f"{self.name} holds no files"
            raise DataError(f"{what}{what_exists(self.file, inside=True)}")

    def _listed(self, ask: Any, path: str) -> list[tuple[str, str]]:
        with explained(self.file):
            answer = ask(path, detail=True)
        entries = answer.values() if isinstance(answer, dict) else answer
        return sorted((entry["name"].rstrip("/"), entry["type"]) for entry in entries)

    def _below(self, place: str) -> File:
        return File(self.name.rstrip("/") + place[len(self.root.rstrip("/")) :], place, self.system)


def _is_the_systems(name: str) -> bool:
    """Neither a person's nor a program's: the kubelet's folders in a mounted ConfigMap, the file system's own."""
    return name.startswith("..") or name == "lost+found"


def locate(path: str, mounts: Mounts) -> Place:
    """Where a path of the manifest leads; s3://bucket/key and the like go to their file system."""
    fixed, pattern = _without_wildcards(path)
    if "://" not in path:
        from fsspec.implementations.local import LocalFileSystem

        root = mounts.locate(path)
        if pattern and root.exists():  # a name that happens to look like a pattern
            return Place(path, os.path.abspath(root), None, LocalFileSystem())
        return Place(fixed, os.path.abspath(mounts.locate(fixed)), pattern, LocalFileSystem())
    system = _file_system(path)
    return Place(fixed, str(system._strip_protocol(fixed)), pattern, system)


def _without_wildcards(path: str) -> tuple[str, str | None]:
    parts = path.split("/")
    first = next((number for number, part in enumerate(parts) if glob.has_magic(part)), None)
    if first is None or path.startswith(("http://", "https://")):  # there a ? begins a query
        return path.rstrip("/") or path, None
    return "/".join(parts[:first]) or ("/" if path.startswith("/") else "."), "/".join(parts[first:])


def _file_system(path: str) -> Any:
    import fsspec

    protocol = path.partition("://")[0]
    try:
        return fsspec.filesystem(protocol)
    except ImportError as error:
        package = _PACKAGES.get(protocol, "its fsspec package")
        raise UserError(f"data.path: {path} needs the Python package {package} in the trainer's image") from error
    except ValueError as error:
        raise UserError(f"data.path: {protocol}:// is not known; known are paths in a volume and s3://") from error


@contextmanager
def explained(file: File) -> Iterator[None]:
    """What goes wrong in here is a DataError that names the file; not a network that fails, which may work again."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{file.name} does not exist{what_exists(file)}") from None
    except PermissionError as error:
        raise DataError(f"{file.name} may not be read: {error.strerror or error}{_credentials(file)}") from error
    except Exception as error:
        if _is_without_credentials(error):
            raise DataError(f"{file.name} may not be read: {error}{_credentials(file)}") from error
        if isinstance(error, OSError) and not file.is_local:
            raise
        if isinstance(error, _BAD_CONTENT):
            raise DataError(f"{file.name} cannot be read: {error}") from error
        raise


def what_exists(file: File, inside: bool = False) -> str:
    """What a person may have meant instead."""
    folder = file.place if inside else str(PurePosixPath(file.place).parent)
    shown = file.name if inside else str(PurePosixPath(file.name).parent)
    try:
        names = sorted(_name(each) for each in file.system.ls(folder, detail=False))
    except Exception:
        return f", nor does the folder {shown}: is the volume mounted there?" if file.is_local else ""
    names = [name for name in names if not name.startswith(".")]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"; the folder holds {', '.join(names[:_SHOWN])}{more}" if names else "; the folder is empty"


def _name(place: str) -> str:
    return PurePosixPath(place).name


def _credentials(file: File) -> str:
    return "" if file.is_local else ": credentials come from the environment, such as AWS_ACCESS_KEY_ID"


def _is_without_credentials(error: Exception) -> bool:
    known = sys.modules.get("botocore.exceptions")  # loaded with s3fs only
    return known is not None and isinstance(error, (known.NoCredentialsError, known.PartialCredentialsError))
