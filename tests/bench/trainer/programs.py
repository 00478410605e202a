"""The other side: training programs as people write them, each in a process of its own that prints what it measured.

All start from the same weights and see the same rows in the same order as the trainer.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from tests.bench.trainer.harness import Measured, one_thread
from torch import Tensor, nn

from trainer.config import Mounts
from trainer.data.loading import load_dataset
from trainer.data.rows import ResidentRows, epoch_order
from trainer.learning.objectives import objective_for
from trainer.models import Shapes, build_model
from trainer.pod.ports import reserved_port
from trainer.seeds import derived_seed
from trainingjob_api.spec.training import Training

WARM_EPOCHS = 2
NAME = "tests.bench.trainer.programs"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Task:
    """What a program has to train."""

    recipe: Training
    model: nn.Module
    features: Tensor
    targets: Tensor
    """Of a regression: (rows, 1), so that no step has to reshape them."""
    batch: int
    epochs: int
    unit: float
    """Reported loss = loss of a step times this: a regression's targets are scaled."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the rows."""
        choose = nn.functional.cross_entropy if self.targets.dtype == torch.int64 else nn.functional.mse_loss
        return choose(outputs, targets)

    def order(self, epoch: int) -> Tensor:
        return epoch_order(len(self.features), self.recipe.seed, epoch).to(self.features.device)

    def optimizer(self, **options: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.model.parameters(), lr=self.recipe.optimizer.learning_rate, **options)


def load_task(training: dict[str, Any]) -> Task:
    recipe = Training.model_validate(training)
    data = load_dataset(recipe, Mounts())
    objective = objective_for(recipe, data.facts)
    torch.manual_seed(derived_seed(recipe.seed, "weights"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(recipe.model, Shapes(data.facts.shape, objective.outputs)).to(device)
    rows = data.train.to(device)
    assert isinstance(rows, ResidentRows)
    targets = rows.targets if data.facts.labels is not None else rows.targets[:, None].contiguous()
    unit = 1.0 if data.facts.labels is not None else objective.train_measures(torch.ones(objective.train_sums), 1).loss
    assert isinstance(recipe.batch_size, int)
    return Task(recipe, model, rows.features, targets, recipe.batch_size, recipe.epochs or 1, unit)


def clocked(task: Task, epoch: Callable[[int], float]) -> Measured:
    """epoch: trains one and returns its mean loss."""
    begin = 0.0
    for number in range(task.epochs):
        if number == WARM_EPOCHS:
            begin = perf_counter()
        loss = epoch(number)
    rate = len(task.features) * (task.epochs - WARM_EPOCHS) / (perf_counter() - begin)
    return Measured(rate, loss * task.unit)


def run(program: str, folder: Path, training: dict[str, Any], ranks: int = 1, gpu: bool = False) -> Measured:
    """Runs `module:function`, which gets the task, in a process for each rank. One thread for each."""
    with reserved_port() as port:
        torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={ranks}", f"--master-port={port}"]
        starter = torchrun if ranks > 1 else []
        finished = subprocess.run(
            [sys.executable, "-W", "ignore", *starter, "-m", NAME, program, json.dumps(training)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, **one_thread(gpu), "BENCH_FOLDER": str(folder), "GLOO_SOCKET_IFNAME": "lo"},
            timeout=600,
        )
    if finished.returncode:
        raise RuntimeError(f"{program}: {finished.stderr[-2000:]}")
    return Measured(**json.loads(finished.stdout.splitlines()[-1]))


def main() -> None:
    module, _, function = sys.argv[1].partition(":")
    measured = getattr(importlib.import_module(module), function)(load_task(json.loads(sys.argv[2])))
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps({"value": measured.value, "loss": measured.loss}), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)
