"""Server-sent events as bytes. Each is one piece with LF ends: clients that read chunks as they come can parse it."""

import json
from collections.abc import Mapping
from typing import Any

HINT = b"retry: 3000\n"
"""Milliseconds to wait after a lost connection; in front of a client's first event."""
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": heartbeat\n"
"""A comment alone. An empty line after it would be an event without data to simple clients."""
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def event(data: Mapping[str, Any], id: str = "") -> bytes:
    number = f"id: {id}\n" if id else ""
    return f"{number}data: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode()


def place(version: str, epoch: int) -> str:
    """The id of an event of one job: the object's version, and the epoch that was the last in it."""
    return f"{version}-{epoch}"


def place_of(id: str) -> tuple[int, int] | None:
    """Version and epoch of an id that was given; None: it is none of ours."""
    version, _, epoch = id.partition("-")
    if version.isascii() and version.isdigit() and epoch.isascii() and epoch.isdigit() and len(id) < 60:
        return int(version), int(epoch)
    return None
