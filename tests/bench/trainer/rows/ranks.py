"""Two ranks on one machine: against plain DDP over gloo, and against one rank with half of the work."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.bench.trainer import pods, programs
from tests.bench.trainer.cases import CASES, Case
from tests.bench.trainer.harness import Comparison, Measured, Rival

RANKS = 2


def _ours(case: Case, ranks: int, folder: Path) -> Measured:
    return pods.train(folder, case.training(case.write(folder)), ranks)


def _ddp(case: Case, folder: Path) -> Measured:
    return programs.run("tests.bench.trainer.ddp:default", folder, case.training(case.write(folder)), RANKS)


def _per_rank(case: Case, ranks: int, folder: Path) -> Measured:
    together = replace(case, batch=case.batch * ranks)
    return Measured(_ours(together, ranks, folder).value / ranks)  # another batch: the losses cannot be compared


def _against_ddp(case: Case) -> Comparison:
    rival = Rival("DDP as in its tutorial", partial(_ddp, case), 1.0)
    what = f"{case.name}, 2 ranks of one thread, batches of {case.batch} in all"
    return Comparison(f"ranks-{case.name}", what, "samples/s", partial(_ours, case, RANKS), (rival,))


_CNN = CASES["cnn"]
COMPARISONS = (
    *map(_against_ddp, (CASES["mlp"], _CNN)),
    Comparison(
        "weak-scaling-cnn",
        f"cnn, 2 ranks of one thread, batches of {_CNN.batch} on each",
        "samples/s of a rank",
        partial(_per_rank, _CNN, RANKS),
        (Rival("one rank", partial(_per_rank, _CNN, 1), 0.85),),
    ),
)
