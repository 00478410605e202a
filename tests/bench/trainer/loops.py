"""Loops without a framework: the best one that we can write, and the one of the tutorials."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from tests.bench.trainer.by_hand import save
from tests.bench.trainer.harness import Measured
from tests.bench.trainer.programs import Task, clocked
from torch.utils.data import DataLoader, TensorDataset


def best(task: Task, end_step: Callable[[torch.optim.Optimizer], None] = lambda optimizer: None) -> Measured:
    """Rows stay in memory, are brought into the epoch's order at once, and batches are views of them."""
    optimizer = task.optimizer(fused=True)
    total = torch.zeros((), device=task.features.device)

    def epoch(number: int) -> float:
        order = task.order(number)
        total.zero_()
        batches = zip(task.features[order].split(task.batch), task.targets[order].split(task.batch), strict=True)
        for features, targets in batches:
            optimizer.zero_grad()
            loss = task.loss(task.model(features), targets)
            loss.backward()
            optimizer.step()
            total.add_(loss.detach())
            end_step(optimizer)
        return float(total) / (len(order) / task.batch)

    return clocked(task, epoch)


def best_saving(task: Task) -> Measured:
    """The same; every 100 steps it waits for a checkpoint to be on disk, one file that replaces the last."""
    path = Path(os.environ["BENCH_FOLDER"]) / "state.pt"
    steps = 0

    def end_step(optimizer: torch.optim.Optimizer) -> None:
        nonlocal steps
        steps += 1
        if steps % 100:
            return
        state = {"model": task.model.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}
        save(path, {**state, "step": steps})

    return best(task, end_step)


class InOrder(torch.utils.data.Sampler[int]):
    """The trainer's order, so that both sides do the same."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.task.features)

    def __iter__(self):
        order = self.task.order(self.epoch).tolist()
        self.epoch += 1
        return iter(order)


def loader(task: Task) -> "DataLoader[tuple[torch.Tensor, ...]]":
    return DataLoader(TensorDataset(task.features, task.targets), batch_size=task.batch, sampler=InOrder(task))


def ordinary(task: Task) -> Measured:
    """A DataLoader over a TensorDataset, loss.item() in every step: as in PyTorch's introduction."""
    batches, optimizer = loader(task), task.optimizer()

    def epoch(number: int) -> float:
        total = 0.0
        for features, targets in batches:
            optimizer.zero_grad()
            loss = task.loss(task.model(features), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / len(batches)

    return clocked(task, epoch)


def through_run(task: Task) -> Measured:
    """The ordinary loop, made pausable."""
    from trainer.script import start

    batches, optimizer = loader(task), task.optimizer()
    run = start(model=task.model, optimizer=optimizer)
    epochs = run.epochs(task.epochs)

    def epoch(number: int) -> float:
        assert next(epochs) == number
        total = 0.0
        for features, targets in run.batches(batches):
            optimizer.zero_grad()
            loss = task.loss(task.model(features), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
            run.step(samples=len(features))
        run.report(train_loss=total / len(batches))
        return total / len(batches)

    measured = clocked(task, epoch)
    next(epochs, None)
    return measured
