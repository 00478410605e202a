"""The small network on a GPU, where launching kernels takes longer than running them."""

from pathlib import Path

from tests.bench.trainer import pods, programs
from tests.bench.trainer.cases import CASES
from tests.bench.trainer.harness import Comparison, Measured, Rival

_MLP = CASES["mlp"]


def _missing() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "no GPU on this machine"


def _ours(folder: Path) -> Measured:
    return pods.train(folder, _MLP.training(_MLP.write(folder)), gpu=True)


def _theirs(folder: Path) -> Measured:
    return programs.run("tests.bench.trainer.loops:best", folder, _MLP.training(_MLP.write(folder)), gpu=True)


COMPARISONS = (
    Comparison(
        "gpu-mlp",
        f"mlp on a GPU, batches of {_MLP.batch}",
        "samples/s",
        _ours,
        (Rival("best loop by hand", _theirs, 0.97),),
        missing=_missing,
    ),
)
