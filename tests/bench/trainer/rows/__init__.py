"""Every comparison, in the order of the table."""

from tests.bench.trainer.harness import Comparison
from tests.bench.trainer.rows import throughput

COMPARISONS: tuple[Comparison, ...] = (*throughput.COMPARISONS,)
