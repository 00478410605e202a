"""What the gateway bears: python -m tests.bench.gateway.

A control plane without operator and pods, 1,000 TrainingJobs whose status this program writes, and the gateway as the
quickstart starts it. Requests a second and their times, how long a change of status takes to reach a client, and what
hundreds of open streams cost. Server, control plane and clients share the machine.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
from rich.console import Console
from tests.bench.cluster import cluster_with_product

from local_cluster.cluster import LocalCluster
from quickstart.product import GatewayProcess
from trainingjob_client.api import MERGE, Api
from trainingjob_client.resources import TRAINING_JOBS

API = "/api/v1/epoch-training"
NAMESPACE = "default"


def main() -> None:
    options = _parser().parse_args()
    with cluster_with_product() as cluster:
        gateway = GatewayProcess(cluster, "--requests-per-second=0", f"--streams={options.streams + 100}")
        gateway.start()
        try:
            results = asyncio.run(_measure(cluster, gateway, options))
        finally:
            gateway.stop()
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    Console().print_json(data=results)


async def _measure(cluster: LocalCluster, gateway: GatewayProcess, options: argparse.Namespace) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {gateway.token}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        await Api.connect(kubeconfig=cluster.kubeconfig) as api,
        aiohttp.ClientSession(gateway.address, headers=headers, connector=connector) as http,
    ):
        idle = _memory(gateway)
        await _make_jobs(api, options.jobs)
        await _until_seen(http, options.jobs)
        progress = [f"{API}/progress/{NAMESPACE}.job-{number}" for number in range(options.jobs)]
        return {
            "jobs": options.jobs,
            "memory_MiB": {"no jobs": idle, "all jobs": _memory(gateway)},
            "progress": await _requests(http, progress, options.seconds, options.clients),
            "list of 100": await _requests(http, [f"{API}/jobs"], options.seconds, options.clients),
            "event latency, 1 stream": await _latency(http, api, 1, range(2, 2 + options.writes)),
            f"event latency, {options.streams} streams of one job": await _latency(
                http, api, options.streams, range(1000, 1000 + options.writes), gateway
            ),
        }


async def _make_jobs(api: Api, count: int) -> None:
    training = {
        "task": "classification",
        "data": {"format": "synthetic", "validation": {"fraction": 0.2}},
        "model": {"type": "mlp"},
    }
    spec = {"training": training, "checkpoint": {"volume": {"emptyDir": {}}}}
    few = asyncio.Semaphore(16)

    async def make(number: int) -> None:
        metadata = {"name": f"job-{number}"}
        body = {"apiVersion": TRAINING_JOBS.api_version, "kind": "TrainingJob", "metadata": metadata, "spec": spec}
        async with few:
            await api.create(TRAINING_JOBS, body, NAMESPACE)
            await _write_status(api, number, 1)

    await asyncio.gather(*(make(number) for number in range(count)))


async def _write_status(api: Api, number: int, epoch: int) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    metrics = {"epoch": epoch, "trainLoss": 1 / epoch, "trainAccuracy": 0.9, "validationLoss": 1.1 / epoch}
    progress = {"epoch": epoch, "epochs": 100_000, "step": epoch, "epochText": f"{epoch}/100000", "updateTime": now}
    status = {"phase": "Running", "progress": progress, "metrics": {"latest": metrics, "best": metrics}}
    path = TRAINING_JOBS.path(NAMESPACE, f"job-{number}", "status")
    await api.request("PATCH", path, body={"status": status}, content=MERGE)


async def _until_seen(http: aiohttp.ClientSession, count: int) -> None:
    while True:
        async with http.get(f"{API}/jobs?limit=1&state=running") as answer:
            if (await answer.json())["total"] >= count:
                return


async def _requests(http: aiohttp.ClientSession, paths: list[str], seconds: float, clients: int) -> dict[str, float]:
    """One after the other, by so many clients at once."""
    times: list[float] = []
    end = time.monotonic() + seconds

    async def client(number: int) -> None:
        while (begun := time.monotonic()) < end:
            async with http.get(paths[(number + len(times)) % len(paths)]) as answer:
                await answer.read()
                assert answer.status == 200
            times.append(time.monotonic() - begun)

    await asyncio.gather(*(client(number) for number in range(clients)))
    return {"requests_per_second": round(len(times) / seconds), **_percentiles(times)}


async def _latency(
    http: aiohttp.ClientSession, api: Api, streams: int, epochs: range, gateway: GatewayProcess | None = None
) -> dict[str, float]:
    """From before the write of status to when each of the clients has the event."""
    times: list[float] = []
    written: dict[int, float] = {}
    arrived = asyncio.Semaphore(0)

    async def client(ready: asyncio.Semaphore) -> None:
        async for epoch in _epochs(http):
            if epoch in written:
                times.append(time.monotonic() - written[epoch])
                arrived.release()
            elif epoch < epochs[0]:
                ready.release()

    ready = asyncio.Semaphore(0)
    reading = [asyncio.create_task(client(ready)) for _ in range(streams)]
    for _ in range(streams):
        await ready.acquire()
    memory = {} if gateway is None else {"memory_MiB": _memory(gateway)}
    for epoch in epochs:
        written[epoch] = time.monotonic()
        await _write_status(api, 0, epoch)
        for _ in range(streams):
            await arrived.acquire()
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return {**_percentiles(times), **memory}


async def _epochs(http: aiohttp.ClientSession) -> AsyncIterator[int]:
    limits = aiohttp.ClientTimeout(total=None)
    async with http.get(f"{API}/stream-progress/{NAMESPACE}.job-0", timeout=limits) as stream:
        async for line in stream.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])["progress"]["current_epoch"]


def _percentiles(times: list[float]) -> dict[str, float]:
    cuts = quantiles(times, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 1), "p99_ms": round(cuts[98] * 1000, 1)}


def _memory(gateway: GatewayProcess) -> float:
    """Resident, MiB."""
    assert gateway.process is not None
    pages = int(Path(f"/proc/{gateway.process.pid}/statm").read_text().split()[1])
    return round(pages * 4096 / 2**20, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description="What the gateway bears.")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16, help="that ask at the same time")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement of requests")
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--writes", type=int, default=40, help="of status, for the latency of events")
    parser.add_argument("--json", type=Path, default=Path("bench-gateway.json"))
    return parser


if __name__ == "__main__":
    main()
