"""Lightning and Accelerate, as their documentation begins, and with batches that never leave memory."""

import logging
import os
import time
from collections.abc import Iterator

import torch
from tests.bench.trainer.harness import Measured
from tests.bench.trainer.loops import loader
from tests.bench.trainer.programs import WARM_EPOCHS, Task, clocked
from torch import Tensor


class Resident:
    """Batches as the best loop has them, for whoever iterates over a loader."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.task.features) // self.task.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.task.order(self.epoch)  # only once somebody draws: Lightning asks for iterators it does not use
        self.epoch += 1
        features, targets = self.task.features[order], self.task.targets[order]
        yield from zip(features.split(self.task.batch), targets.split(self.task.batch), strict=True)


def lightning(task: Task) -> Measured:
    return _lightning(task, loader(task), task.optimizer())


def lightning_resident(task: Task) -> Measured:
    return _lightning(task, Resident(task), task.optimizer(fused=True))


def _lightning(task: Task, batches: object, optimizer: torch.optim.Optimizer) -> Measured:
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = task.model
            self.losses: list[Tensor] = []
            self.ends: list[float] = []

        def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
            features, targets = batch
            loss = task.loss(self.model(features), targets)
            self.log("train_loss", loss)
            self.losses.append(loss.detach())
            return loss

        def on_train_epoch_end(self) -> None:
            self.ends.append(time.perf_counter())
            self.mean = float(torch.stack(self.losses).mean())
            self.losses.clear()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return optimizer

    module = Module()
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    lightning.Trainer(
        max_epochs=task.epochs,
        accelerator="cpu",
        enable_checkpointing=False,
        **quiet,
        default_root_dir=os.environ["BENCH_FOLDER"],
    ).fit(module, batches)
    seconds = module.ends[-1] - module.ends[WARM_EPOCHS - 1]
    return Measured(len(task.features) * (task.epochs - WARM_EPOCHS) / seconds, module.mean * task.unit)


def accelerate(task: Task) -> Measured:
    return _accelerate(task, loader(task), task.optimizer())


def accelerate_resident(task: Task) -> Measured:
    return _accelerate(task, Resident(task), task.optimizer(fused=True))


def _accelerate(task: Task, batches: object, optimizer: torch.optim.Optimizer) -> Measured:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model, optimizer, batches = accelerator.prepare(task.model, optimizer, batches)

    def epoch(number: int) -> float:
        losses = []
        for features, targets in batches:
            optimizer.zero_grad()
            loss = task.loss(model(features), targets)
            accelerator.backward(loss)
            optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    return clocked(task, epoch)
