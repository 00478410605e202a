"""Prints for how many seconds a save of 512 MB keeps a loop waiting, or how long a copy of as much takes.

python -m tests.bench.trainer.stall save|copy FOLDER. The third of three counts: memory is then as in a long training.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import torch
from tests.support.trainer import run_config
from torch import Tensor

from trainer.checkpoint.folder import Folder
from trainer.config import Mounts, RankConfig
from trainer.distributed import World
from trainer.pod.stopping import StopRequest
from trainer.pod.surroundings import prepare
from trainer.resumable import Position
from trainer.session import Run

BYTES, PARTS = 512 * 2**20, 64
ROUNDS = 3


class Large:
    """A Resumable: what a training has whose state is large."""

    best_metrics = None
    best_step = None

    def __init__(self) -> None:
        self.tensors = {f"layer.{number}": torch.full((BYTES // PARTS // 4,), 0.5) for number in range(PARTS)}
        self.position = Position()

    def is_finite(self) -> bool:
        from trainer.checkpoint.tensors import all_finite

        return all_finite(self.tensors.values())

    def shared_tensors(self) -> Mapping[str, Mapping[str, Tensor]]:
        return {"model.safetensors": self.tensors}

    def own_tensors(self) -> Mapping[str, Tensor]:
        return {}

    def facts(self) -> bytes:
        return b"{}"


def run_in(folder: Path) -> Run:
    training = {"task": "regression", "data": {"format": "synthetic"}, "model": {"type": "mlp"}}
    config = run_config(folder / "run", training)
    Folder(config).claim()
    around = prepare(RankConfig(config, 0, 1, 1, 0, folder, Mounts(), pod_ip=None), StopRequest(), has_terminal=False)
    return Run(around, World(0, 1, torch.device("cpu")))


def save(folder: Path) -> float:
    run, state = run_in(folder), Large()
    for step in range(1, ROUNDS + 1):
        state.position = Position(step=step)
        begin = perf_counter()
        run.save(state)
        seconds = perf_counter() - begin
        run.save(state, required=True)  # waits for the write; the same step is not written twice
    return seconds


def copy(folder: Path) -> float:
    state = Large()
    for _ in range(ROUNDS):
        begin = perf_counter()
        copies = [tensor.clone() for tensor in state.tensors.values()]
        seconds = perf_counter() - begin
        del copies
    return seconds


if __name__ == "__main__":
    print({"save": save, "copy": copy}[sys.argv[1]](Path(sys.argv[2])), flush=True)
    os._exit(0)
