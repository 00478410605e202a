"""The small network on a GPU, where launching kernels takes longer than running them."""

from functools import partial
from pathlib import Path

from tests.bench.trainer import pods, programs
from tests.bench.trainer.cases import CASES
from tests.bench.trainer.harness import Comparison, Measured, Rival

_MLP = CASES["mlp"]


def _missing() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "no GPU on this machine"


def _program(name: str, folder: Path) -> Measured:
    return programs.run(f"tests.bench.trainer.{name}", folder, _MLP.training(_MLP.write(folder)), gpu=True)


def _ours(folder: Path) -> Measured:
    return pods.train(folder, _MLP.training(_MLP.write(folder)), gpu=True)


COMPARISONS = (
    Comparison(
        "gpu-mlp",
        f"mlp on a GPU, batches of {_MLP.batch}",
        "samples/s",
        _ours,
        (
            Rival("best loop by hand", partial(_program, "loops:best"), 0.97),
            Rival("the same as a captured graph", partial(_program, "graphs:captured"), 0.9),
        ),
        missing=_missing,
        advice="Below the first aim our own book-keeping is too slow: profile learning/loop.py. Below the second "
        "alone, launching kernels is what takes the time: capture the step (learning/learner.py) as graphs.py does, or "
        "use larger batches. Work that is not the same is a defect of graphs.py or ours. Write the table into "
        "docs/benchmarks.md.",
    ),
)
