"""Files that are either whole and on disk, or not there."""

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

_NO_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC


def write_new(path: Path, content: bytes) -> None:
    """Writes a file that must not exist yet, down to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o666)
    try:
        with memoryview(content) as rest:
            written = 0
            while written < len(rest):
                written += os.write(descriptor, rest[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Replaces a file whole; after a crash there is the old one or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()  # a failed fsync is not tried again on the same file
    write_new(temporary, content)
    temporary.rename(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Puts a folder's entries on disk: without it a rename may be forgotten."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_plain(path: Path, size_limit: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Links, devices and what is larger are ValueErrors: whoever can write to the volume must not choose what we read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _NO_LINKS)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{path.name} is not a regular file")
        if facts.st_size > size_limit:
            raise ValueError(f"{path.name} has {facts.st_size} bytes, more than {size_limit}")
        return file.read(size_limit)


def remove_folder(path: Path) -> None:
    """Removes a folder as well as it can; a name that remains is tried again next time."""
    shutil.rmtree(path, ignore_errors=True)
