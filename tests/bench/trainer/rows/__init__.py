"""Every comparison, in the order of the tables."""

from tests.bench.trainer.harness import Comparison
from tests.bench.trainer.rows import gpu, latencies, overheads, ranks, throughput

COMPARISONS: tuple[Comparison, ...] = (
    *throughput.COMPARISONS,
    *ranks.COMPARISONS,
    *overheads.COMPARISONS,
    *latencies.COMPARISONS,
    *gpu.COMPARISONS,
)
