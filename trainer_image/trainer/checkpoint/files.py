"""Files that are either whole and on disk, or not there."""

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

Content = bytes | memoryview
"""What a file holds; a memoryview where a copy of gigabytes is saved."""

_libc = ctypes.CDLL(None)
_ALL, _BEGIN = ctypes.c_int64(0), 2  # from the first byte, to the last; SYNC_FILE_RANGE_WRITE: a hint, it may fail
_PIECE = 1024 * 1024
_NO_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC
_UNABLE = {errno.EINVAL, errno.ENOTSUP}  # what file systems answer that cannot sync a folder at all


@contextmanager
def new_files(folder: Path, read_back: bool) -> Iterator[Callable[[str, Content], None]]:
    """Yields what writes a file that must not exist yet. At the end they are down on the disk, but not their names.

    read_back: OSError unless what can be read from each is what was written.
    The disk begins with each at once and is waited for after the last: it takes them in fewer turns.
    """
    with ExitStack() as stack:
        written: list[tuple[int, Content]] = []

        def write(name: str, content: Content) -> None:
            descriptor = stack.enter_context(_written(folder / name, content))
            _libc.sync_file_range(descriptor, _ALL, _ALL, _BEGIN)
            written.append((descriptor, content))

        yield write
        for descriptor, _ in written:
            os.fsync(descriptor)
        if read_back and not all(_holds(descriptor, content) for descriptor, content in written):
            raise OSError(errno.EIO, "what can be read is not what was written", str(folder))


def _holds(descriptor: int, content: Content) -> bool:
    """Whether this is what can be read from a file, to its end."""
    with memoryview(content) as expected:
        return all(
            os.pread(descriptor, _PIECE, begin) == expected[begin : begin + _PIECE].tobytes()
            for begin in range(0, len(expected) + 1, _PIECE)
        )


def replace(path: Path, content: Content) -> None:
    """Replaces a file whole; after a crash there is the old one or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    remove(temporary)  # a failed fsync is not tried again on the same file
    with _written(temporary, content) as descriptor:
        os.fsync(descriptor)
    temporary.rename(path)
    sync_folder(path.parent)


@contextmanager
def _written(path: Path, content: Content) -> Iterator[int]:
    """The open descriptor of a file that must not exist yet, with its content in the kernel's memory."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o666)
    try:
        with memoryview(content) as rest:
            written = 0
            while written < len(rest):  # in pieces: for more at once the kernel looks for memory in one large block
                written += os.write(descriptor, rest[written : written + _PIECE])
        yield descriptor
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Makes a folder and those above it that are missing; their names are on disk as well."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def append(path: Path, content: bytes) -> None:
    """Adds to a file, all of it or nothing; the file is made if it is not there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _NO_LINKS, 0o666)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        if os.write(descriptor, content) < len(content):
            os.ftruncate(descriptor, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Puts a folder's entries on disk: without it a rename may be forgotten."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def open_plain(path: Path) -> Iterator[tuple[FileIO, int]]:
    """A regular file and its size in bytes.

    Links, devices and pipes are ValueErrors or OSErrors: whoever can write to the volume must not choose what we
    read, nor for how long.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _NO_LINKS)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{path.name} is not a regular file")
        yield file, facts.st_size


def read_plain(path: Path, size_limit: int) -> bytes:
    """The content of a regular file of at most so many bytes; what is larger is a ValueError."""
    with open_plain(path) as (file, size):
        if size > size_limit:
            raise ValueError(f"{path.name} has {size} bytes, more than {size_limit}")
        return bytes(read_exactly(file, size))


def read_exactly(file: FileIO, size: int) -> memoryview:
    """The next so many bytes, in memory of their own; ValueError if there are fewer."""
    content = memoryview(bytearray(size))
    done = 0
    while done < size:
        count = file.readinto(content[done:])
        if not count:
            raise ValueError(f"it ends after {done} of {size} bytes")
        done += count
    return content


def remove(path: Path) -> None:
    """Removes a folder, or what lies in its place, as well as it can; what remains is tried again next time.

    Links are removed, never followed.
    """
    with suppress(OSError):
        try:
            path.unlink(missing_ok=True)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
