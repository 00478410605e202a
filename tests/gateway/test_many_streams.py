"""Hundreds of streams at once, one of them slow; and an API server that goes away and comes back."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.conftest import API, Shown
from integration.gateway.conftest import People
from local_cluster.cluster import LocalCluster
from quickstart.product import GatewayProcess
from support.waiting import PATIENCE

STREAMS = 500


class Stream:
    """A client that remembers the epochs that it was told."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.seen: list[int] = []

    async def until(self, epoch: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while epoch not in self.seen:
                line = await self._response.content.readline()
                assert line, "the stream has ended"
                if line.startswith(b"data: "):
                    self.seen.append(json.loads(line[6:])["progress"]["current_epoch"])


@asynccontextmanager
async def streams(gateway: GatewayProcess, token: str, task_id: str, count: int) -> AsyncIterator[list[Stream]]:
    limits, connector = aiohttp.ClientTimeout(total=None), aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(gateway.address, headers=headers, timeout=limits, connector=connector) as http:
        responses = await asyncio.gather(*(http.get(f"{API}/stream-progress/{task_id}") for _ in range(count)))
        try:
            assert {response.status for response in responses} == {200}
            yield [Stream(response) for response in responses]
        finally:
            for response in responses:
                response.close()


async def test_all_of_many_streams_get_every_change(gateway: GatewayProcess, shown: Shown) -> None:
    async with streams(gateway, gateway.token, shown.task_id, STREAMS) as clients:
        await asyncio.gather(*(client.until(1) for client in clients))
        for epoch in (2, 3, 4):
            shown.write(epoch)
            await asyncio.gather(*(client.until(epoch) for client in clients))
        assert {tuple(client.seen) for client in clients} == {(1, 2, 3, 4)}


async def test_a_client_that_does_not_read_holds_nobody_up(gateway: GatewayProcess, shown: Shown) -> None:
    address = urlsplit(gateway.address)
    with socket.create_connection((address.hostname, address.port)) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        request = f"GET {API}/stream-jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
        lazy.sendall(request.encode())
        async with streams(gateway, gateway.token, shown.task_id, 5) as clients:
            for epoch in range(2, 200):
                shown.write(epoch)
            await asyncio.gather(*(client.until(199) for client in clients))


@pytest.fixture
def people(gateway: GatewayProcess, shown: Shown) -> People:
    return People(shown.kubectl)


async def test_an_api_server_that_goes_away(
    gateway: GatewayProcess, cluster: LocalCluster, shown: Shown, people: People
) -> None:
    """Requests are told when to come back; streams stay open and go on."""
    token = people.token(people.account("ada", "view"))
    async with streams(gateway, token, shown.task_id, 3) as clients:
        await asyncio.gather(*(client.until(1) for client in clients))
        cluster.running()["kube-apiserver"].stop(grace=0)
        answer = await _unavailable(gateway, token)
        assert int(answer["Retry-After"]) >= 1
        await asyncio.to_thread(cluster.start)
        await asyncio.to_thread(shown.write, 2)
        await asyncio.gather(*(client.until(2) for client in clients))


async def _unavailable(gateway: GatewayProcess, token: str) -> dict[str, Any]:
    """The headers of the first 503, once what the gate remembers is old."""
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(gateway.address, headers=headers) as http:
        while True:
            async with http.get(f"{API}/me") as answer:
                if answer.status == 503:
                    return dict(answer.headers)
            await asyncio.sleep(0.2)
