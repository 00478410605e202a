"""What the operator costs beside bare Indexed Jobs with the same pods: python -m tests.bench.operator.

On an embedded control plane with a kubelet that runs nothing: pods run for a second and succeed.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.cluster import cluster_with_product, operator_on
from tests.bench.operator.arms import BARE, OURS
from tests.bench.operator.kubelet import node_api
from tests.bench.operator.measuring import Bench, Burst

from local_cluster import processes
from local_cluster.cluster import LocalCluster
from local_cluster.controlplane import ADMIN
from local_cluster.settings import Settings, Timing

CAPACITY = {"cpu": "1000", "memory": "4Ti", "pods": "100000"}


def main() -> None:
    options = _parser().parse_args()
    with _without_pods() as cluster, operator_on(cluster) as pid:
        results = asyncio.run(_measure(cluster, pid, options))
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    _print(results)


async def _measure(cluster: LocalCluster, operator: int, options: argparse.Namespace) -> dict[str, Any]:
    async with node_api(cluster.directory.control_plane(), ADMIN) as api:
        bench = Bench(cluster, api, operator)
        await bench.burst(OURS, 1, 5)  # warms up
        latencies: dict[str, list[float]] = {}
        for nodes in options.nodes:
            for _ in range(options.rounds):
                for arm in (BARE, OURS):
                    key = f"{arm.name}, {nodes}"
                    latencies.setdefault(key, []).extend(await bench.latencies(arm, nodes, options.singles))
        paused, resumed = await bench.pause_and_resume()
        bursts: list[Burst] = []
        for _ in range(options.rounds):
            for nodes in options.nodes:
                bursts += [await bench.burst(arm, nodes, options.count) for arm in (BARE, OURS)]
                print(bursts[-2], bursts[-1], sep="\n", file=sys.stderr)
    return {
        "load": os.getloadavg()[0],
        "count": options.count,
        "latencies": latencies,
        "pause": paused,
        "resume": resumed,
        "bursts": [burst.to_json() for burst in bursts],
    }


@contextmanager
def _without_pods() -> Iterator[LocalCluster]:
    """Its node's program is another, which runs nothing; no heartbeat comes, so nobody is to wait for one."""
    with cluster_with_product(Settings(timing=Timing(lost_after=86_400), capacity=CAPACITY)) as cluster:
        cluster.kill_node()
        folder = cluster.directory.path
        command = [sys.executable, "-m", "tests.bench.operator.kubelet", str(folder)]
        kubelet = processes.start("kubelet", command, folder / "logs" / "kubelet.log", os.environ)
        try:
            yield cluster
        finally:
            kubelet.stop()


def _print(results: dict[str, Any]) -> None:
    print(f"\nload {results['load']:.1f}; {results['count']} at once; medians, lowest to highest\n")
    print("| | pods | apply to pods, ms | all complete, s | own CPU, ms | controllers' CPU, ms | writes | events |")
    print("|---|---|---|---|---|---|---|---|")
    for key, latencies in results["latencies"].items():
        arm, _, nodes = key.rpartition(", ")
        bursts = [one for one in results["bursts"] if (one["arm"], one["nodes"]) == (arm, int(nodes))]
        columns = ("seconds", "own_cpu_ms", "controllers_cpu_ms", "writes", "events")
        cells = [_spread(latencies), *(_spread([one[column] for one in bursts]) for column in columns)]
        print(f"| {arm} | {nodes} | {' | '.join(cells)} |")
    for what in ("pause", "resume"):
        counts = Counter(results[what])
        print(f"{what}: {', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))}")


def _spread(values: list[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})" if values else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.bench.operator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the arms take turns so often (default: 3)")
    parser.add_argument("--count", type=int, default=200, help="objects at once (default: 200)")
    parser.add_argument("--singles", type=int, default=10, help="objects one after the other (default: 10)")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 4], help="pods of each (default: 1 4)")
    parser.add_argument("--json", type=Path, default=Path("bench-operator.json"), metavar="FILE")
    return parser


main()
