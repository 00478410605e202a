"""Samples a second of the built-in loop, against loops by hand and frameworks."""

from functools import partial
from pathlib import Path

from tests.bench.trainer import pods, programs
from tests.bench.trainer.cases import CASES, Case
from tests.bench.trainer.harness import Comparison, Measured, Rival

HERE = "tests.bench.trainer"
# name, program, aim for mlp, for lstm and gru, for cnn
_RIVALS = (
    ("best loop by hand", f"{HERE}.loops:best", 0.97, 0.97, 0.97),
    ("DataLoader loop", f"{HERE}.loops:ordinary", 2.5, 1.1, 1.0),
    ("Lightning", f"{HERE}.frameworks:lightning", 3.0, 1.15, 1.05),
    ("Lightning, resident batches", f"{HERE}.frameworks:lightning_resident", 1.0, 1.0, 1.0),
    ("Accelerate", f"{HERE}.frameworks:accelerate", 3.0, 1.15, 1.05),
    ("Accelerate, resident batches", f"{HERE}.frameworks:accelerate_resident", 1.0, 1.0, 1.0),
)


def _ours(case: Case, folder: Path) -> Measured:
    return pods.train(folder, case.training(case.write(folder)))


def _theirs(case: Case, program: str, folder: Path) -> Measured:
    return programs.run(program, folder, case.training(case.write(folder)))


def comparison(case: Case) -> Comparison:
    place = {"mlp": 2, "lstm": 3, "gru": 3, "cnn": 4}[case.name]
    rivals = tuple(Rival(each[0], partial(_theirs, case, each[1]), each[place]) for each in _RIVALS)
    what = f"{case.name}, batches of {case.batch}, one thread"
    return Comparison(f"throughput-{case.name}", what, "samples/s", partial(_ours, case), rivals)


COMPARISONS = tuple(map(comparison, CASES.values()))
