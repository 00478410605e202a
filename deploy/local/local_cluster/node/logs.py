"""Reading a container's log as `kubectl logs` asks for it: last lines, first bytes, what is still to come."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from local_cluster.node.instance import Instance

_CHUNK = 64 * 1024
_LOOK_AGAIN = 0.1  # seconds; only while somebody follows


@dataclass(frozen=True)
class LogRequest:
    follow: bool
    tail: int | None
    """So many last lines; None: all."""
    limit: int | None
    """Bytes at most; None: no limit."""


async def read(instance: Instance, request: LogRequest) -> AsyncIterator[bytes]:
    """The log in pieces. When it is followed: until the container has ended and all of it was given."""
    left = request.limit
    with instance.log.open("rb") as file:
        if request.tail is not None:
            file.seek(_start_of_tail(file, request.tail))
        while left is None or left > 0:
            alive = request.follow and instance.is_alive  # asked before reading: what comes last is not missed
            chunk = file.read(_CHUNK if left is None else min(_CHUNK, left))
            if chunk:
                left = None if left is None else left - len(chunk)
                yield chunk
            elif alive:
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                return


def _start_of_tail(file: BinaryIO, lines: int) -> int:
    """Where the last lines begin; looks backwards, so that the length of the log does not matter."""
    end = position = file.seek(0, os.SEEK_END)
    if end == 0 or lines == 0:
        return end
    file.seek(end - 1)
    wanted = lines + 1 if file.read(1) == b"\n" else lines  # the newline at the very end begins no line
    while position > 0:
        size = min(_CHUNK, position)
        position -= size
        file.seek(position)
        chunk = file.read(size)
        found = chunk.count(b"\n")
        if found >= wanted:
            return position + _after_newline(chunk, found - wanted)
        wanted -= found
    return 0


def _after_newline(chunk: bytes, number: int) -> int:
    """The offset after the newline with this number, counted from 0."""
    offset = -1
    for _ in range(number + 1):
        offset = chunk.index(b"\n", offset + 1)
    return offset + 1
