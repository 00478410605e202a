"""Several gateways for one cluster: what one has made the others know, and an id is given once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from gateway.conftest import API, Another
from local_cluster.cluster import LocalCluster
from quickstart.product import GatewayProcess
from support.cluster import new_namespace

AT_ONCE = 12


@pytest.fixture
def other(gateway: GatewayProcess, cluster: LocalCluster, tmp_path: Path) -> Iterator[Another]:
    process = Another(cluster, tmp_path, "--requests-per-second=0")
    process.start()
    yield process
    process.stop()


async def test_what_starts_in_one_second_in_two_namespaces_has_ids_of_its_own(
    gateway: GatewayProcess, other: Another, cluster: LocalCluster
) -> None:
    with new_namespace(cluster.kubeconfig) as one, new_namespace(cluster.kubeconfig) as two:
        async with aiohttp.ClientSession() as http:

            async def start(process: GatewayProcess, namespace: str) -> str:
                headers, body = {"Authorization": f"Bearer {process.token}"}, {"name": "x", "namespace": namespace}
                async with http.post(f"{process.address}{API}/start", json=body, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
                    task_id: str = (await answer.json())["task_id"]
                    return task_id

            async def code(process: GatewayProcess, task_id: str) -> int:
                headers = {"Authorization": f"Bearer {process.token}"}
                async with http.get(f"{process.address}{API}/progress/{task_id}", headers=headers) as answer:
                    return answer.status

            places = [(gateway, one.namespace), (other, two.namespace)] * AT_ONCE
            ids = await asyncio.gather(*(start(*place) for place in places))
            assert len(set(ids)) == 2 * AT_ONCE
            codes = await asyncio.gather(*(code(process, each) for process in (gateway, other) for each in ids))
            assert set(codes) == {200}
