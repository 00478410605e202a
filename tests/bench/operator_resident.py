"""What TrainingJobs cost that are only there: python -m tests.bench.operator_resident.

On an embedded control plane, each with a spec and a status of usual length; another controller manages them, so that
the operator keeps them all and has nothing to do for any.
"""

import argparse
import asyncio
import time
from typing import Any

from tests.bench.cluster import cluster_with_product, operator_on
from tests.bench.operator.arms import RECIPE
from tests.bench.operator.cost import cpu_seconds, resident_megabytes
from tests.bench.operator.kubelet import node_api
from tests.bench.operator_page import status_of

from local_cluster.cluster import LocalCluster
from local_cluster.controlplane import ADMIN
from local_cluster.node.api import Api

AT_ONCE = 16
JOBS = "/apis/trainingjob.dev/v1alpha1/namespaces/default/trainingjobs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.operator_resident", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=2, help="for how long it is looked at when all is quiet")
    options = parser.parse_args()
    with cluster_with_product() as cluster, operator_on(cluster) as pid:
        asyncio.run(_measure(cluster, pid, options.count, options.minutes))


async def _measure(cluster: LocalCluster, pid: int, count: int, minutes: int) -> None:
    empty, began = resident_megabytes(pid), cpu_seconds(pid)
    async with node_api(cluster.directory.control_plane(), ADMIN) as api:
        await _fill(api, count)
    await asyncio.sleep(30)
    print(f"taken in, two events each: {(cpu_seconds(pid) - began) / count * 1000:.2f} ms of CPU for each")
    full = resident_megabytes(pid)
    each = (full - empty) * 1024 / count
    print(f"resident: {empty:.0f} MB without, {full:.0f} MB with {count:,}: {each:.1f} kB for each")
    began, since = cpu_seconds(pid), time.monotonic()
    await asyncio.sleep(60 * minutes)
    used = (cpu_seconds(pid) - began) / (time.monotonic() - since) * 60
    print(f"nothing changes: {used:.1f} s of CPU a minute, {resident_megabytes(pid):.0f} MB")


async def _fill(api: Api, count: int) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def create(number: int) -> None:
        async with slots:
            made = await api.post(JOBS, _training_job(number))
            status = status_of(number, is_running=True).to_json_object()
            metadata = {"uid": made["metadata"]["uid"]}
            patch = {"metadata": metadata, "status": status}
            await api.patch(f"{JOBS}/{made['metadata']['name']}/status", patch, "application/merge-patch+json")

    await asyncio.gather(*(create(number) for number in range(count)))


def _training_job(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "trainingjob.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": f"experiment-{number:05}"},
        "spec": {
            "managedBy": "example.com/bench",
            "training": RECIPE,
            "checkpoint": {"volume": {"claimTemplate": {"size": "1Gi"}}},
            "pod": {"resources": {"limits": {"cpu": 4, "memory": "8Gi", "nvidia.com/gpu": 1}}},
        },
    }


if __name__ == "__main__":
    main()
