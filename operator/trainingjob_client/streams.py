"""Commands in containers: the API server's websocket protocol, one channel for each of a process' streams."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from trainingjob_client.connection import Connection

_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_PROTOCOL = "v5.channel.k8s.io"
"""The first in which the end of what is fed can be told."""
_LAST_WORDS = 500


@dataclass(frozen=True)
class Ended:
    problem: str
    """Empty: the command has ended with 0."""


Opened = Callable[[], Awaitable[aiohttp.ClientWebSocketResponse]]


def request_of(connection: Connection, url: str) -> Opened:
    async def opened() -> aiohttp.ClientWebSocketResponse:
        headers = await connection.headers()
        address = "ws" + url.removeprefix("http")
        socket: aiohttp.ClientWebSocketResponse = await connection.session.ws_connect(
            address, protocols=[_PROTOCOL], headers=headers, max_msg_size=0, **connection.options
        )
        return socket

    return opened


async def frames(opened: Opened, feed: AsyncIterator[bytes] | None) -> AsyncGenerator[bytes | Ended, None]:
    """What comes on standard output, and at the end how it ended."""
    said, ended = b"", Ended("the connection ended before the command did")
    socket = await opened()
    feeding = asyncio.create_task(_feed(socket, feed)) if feed else None
    try:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == _STDOUT:
                yield data
            elif channel == _STDERR:
                said = (said + data)[-_LAST_WORDS:]
            elif channel == _ERROR:
                ended = _ended(data, said)
                break
        yield ended
    finally:
        if feeding:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
                await feeding
        await socket.close()


async def _feed(socket: aiohttp.ClientWebSocketResponse, feed: AsyncIterator[bytes]) -> None:
    async for chunk in feed:
        await socket.send_bytes(bytes([_STDIN]) + chunk)
    await socket.send_bytes(bytes([_CLOSE, _STDIN]))


def _ended(data: bytes, said: bytes) -> Ended:
    status = json.loads(data)
    if status.get("status") == "Success":
        return Ended("")
    words = said.decode(errors="replace").strip()
    return Ended(words or str(status.get("message", "the command failed")))
