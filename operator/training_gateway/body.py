"""A request's body, read before anything else, and no longer than it may be."""

from starlette.types import Message, Receive

from training_gateway.datasets import TOO_LARGE
from training_gateway.refusal import Refusal

LIMIT = 1024 * 1024
"""Bytes."""
DRAINED = 64 * LIMIT
"""What is read of a body that is too long: most clients look for an answer only when all is sent."""


async def read(receive: Receive, path: str) -> Receive:
    """The same, with a body that is there already. Refusal (413) for one that is too long."""
    body, length, is_whole = b"", 0, False
    while not is_whole and length <= DRAINED:
        message = await receive()
        if message["type"] != "http.request":
            return _played(message, receive)
        part = message.get("body", b"")
        length, is_whole = length + len(part), not message.get("more_body", False)
        body = body + part if length <= LIMIT else b""
    if length > LIMIT:
        what = TOO_LARGE if path.endswith("/datasets") else "a body may have 1 MiB"
        raise Refusal(413, what, headers={"Connection": "close"})
    return _played({"type": "http.request", "body": body, "more_body": False}, receive)


def _played(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def played() -> Message:
        return waiting.pop() if waiting else await receive()

    return played
