"""Who is at work in a folder: a lock that the kernel or the file server drops when its holder ends, however it ends.

Where a file system has no locks nobody is noticed; the fence (see `folder`) still keeps two from writing.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainer.checkpoint.files import read_plain, remove
from trainer.errors import FolderInUse
from trainingjob_api.base import Report

LOCAL_UID = "local"
"""Of every job without a cluster, where no operator keeps attempts apart."""
_NAME = "in-use"
_SIZE_LIMIT = 4096
_HELD = {errno.EACCES, errno.EAGAIN}
_NOT_A_FILE = {errno.ELOOP, errno.EISDIR, errno.ENXIO}


class Occupant(Report):
    """What the lock's file says for others to read."""

    uid: str
    name: str
    attempt: int

    def is_succeeded_by(self, other: "Occupant") -> bool:
        """Whether the operator knows that this one is no more, though a server may still keep its lock."""
        return self.uid == other.uid != LOCAL_UID


@contextmanager
def occupied(folder: Path, occupant: Occupant) -> Iterator[None]:
    """FolderInUse while another job is at work there; what this process starts does not hold the lock."""
    descriptor = _open(folder / _NAME)
    if descriptor is None:
        yield
        return
    try:
        if _is_locked(descriptor):
            _write(descriptor, occupant)
        elif (holder := _holder(folder / _NAME)) is None or not holder.is_succeeded_by(occupant):
            raise FolderInUse(_words(folder, holder))
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int | None:
    """The file to lock, open for writing; None if another user's job has made it."""
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o660)
        except PermissionError:
            return None
        except OSError as error:
            if error.errno not in _NOT_A_FILE:
                raise
        else:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
        remove(path)  # a link, a pipe or a folder in its place
    return None


def _is_locked(descriptor: int) -> bool:
    """By us from now on. Of POSIX' kind: children do not inherit it, and it reaches over NFS."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True


def _write(descriptor: int, occupant: Occupant) -> None:
    """In place: a file that is replaced is another file, which nobody has locked."""
    with suppress(OSError):  # on a full disk it has no name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, occupant.model_dump_json().encode(), 0)


def _holder(path: Path) -> Occupant | None:
    try:
        return Occupant.model_validate_json(read_plain(path, _SIZE_LIMIT))
    except (OSError, ValueError):
        return None


def _words(folder: Path, holder: Occupant | None) -> str:
    name = f"TrainingJob {holder.name} (attempt {holder.attempt})" if holder else "another training"
    return (
        f"{folder} is in use by {name}. Give this job a folder of its own (checkpoint.subPath or "
        "checkpoint.startFresh: true), or start it again when that one has ended."
    )
