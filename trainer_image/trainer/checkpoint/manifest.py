"""A checkpoint's manifest: what is in it, with checksums. Written last: a checkpoint without one does not exist."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from trainer.checkpoint.files import Content, open_plain, read_exactly, read_plain
from trainingjob_api.base import Model
from trainingjob_api.progress import SavedCheckpoint

NAME = "manifest.json"
_SIZE_LIMIT = 1024 * 1024
FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*\.(safetensors|json)$", max_length=64)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class File(Model):
    """One file of a checkpoint."""

    size_bytes: int = Field(ge=0, le=2**44)
    sha256: Digest


class Manifest(Model):
    """What a whole checkpoint consists of."""

    format: Literal[1] = 1
    saved: SavedCheckpoint
    all_finite: Literal[True] = Field(description="No value is NaN or infinite. What is not finite is never saved.")
    files: dict[FileName, File] = Field(min_length=1, max_length=64)


class Damaged(Exception):  # noqa: N818  (a state, told to the caller)
    """A checkpoint that must not be loaded, and why."""


def describe(files: Mapping[str, Content]) -> dict[str, File]:
    return {name: _describe(content) for name, content in files.items()}


def _describe(content: Content) -> File:
    return File(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def encode(manifest: Manifest) -> bytes:
    """The manifest and its own checksum; one way to write it, so that every changed byte is noticed."""
    body = manifest.model_dump_json(by_alias=True, exclude_none=True, indent=1).encode()
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"


def read(folder: Path) -> Manifest:
    """The manifest of a checkpoint's folder, or Damaged."""
    if folder.is_symlink():
        raise Damaged(f"{folder.name} is a link")
    try:
        content = read_plain(folder / NAME, _SIZE_LIMIT)
        body, _, digest = content.removesuffix(b"\n").rpartition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest or not content.endswith(b"\n"):
            raise Damaged(f"{folder.name}/{NAME}: its checksum is wrong")
        return Manifest.model_validate_json(body)
    except FileNotFoundError as error:
        raise Damaged(f"{folder.name} has no {NAME}") from error
    except (OSError, ValueError) as error:
        raise Damaged(f"{folder.name}/{NAME}: {error}") from error


def read_files(folder: Path, manifest: Manifest) -> dict[str, Content]:
    """The content of every file, each read once and proven to be what was written, or Damaged."""
    return {name: _read_file(folder / name, expected) for name, expected in manifest.files.items()}


def read_file(folder: Path, name: str, manifest: Manifest) -> Content:
    """The same of one file."""
    if name not in manifest.files:
        raise Damaged(f"{folder.name} has no {name}")
    return _read_file(folder / name, manifest.files[name])


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Damaged unless every file is what was written; holds a few of their bytes at a time."""
    for name, expected in manifest.files.items():
        with _open_file(folder / name, expected) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected.sha256:
                raise Damaged("its checksum is wrong")


def _read_file(path: Path, expected: File) -> Content:
    with _open_file(path, expected) as file:
        content = read_exactly(file, expected.size_bytes)
        if _describe(content) != expected:
            raise Damaged("its checksum is wrong")
        return content


@contextmanager
def _open_file(path: Path, expected: File) -> Iterator[FileIO]:
    """A file of the size that it must have; every problem with it is Damaged and names it.

    The size comes first: what a manifest claims must not decide how much memory is taken.
    """
    try:
        with open_plain(path) as (file, size):
            if size != expected.size_bytes:
                raise Damaged(f"it has {size} bytes instead of {expected.size_bytes}")
            yield file
    except (Damaged, OSError, ValueError) as error:
        raise Damaged(f"{path.parent.name}/{path.name}: {error}") from error
