"""A loop whose steps are a captured CUDA graph: one launch for a whole step. Written by PyTorch's notes on CUDA graphs.

It has run on no GPU yet.
"""

import torch
from tests.bench.trainer.harness import Measured
from tests.bench.trainer.programs import Task, clocked
from torch import Tensor


class _Step:
    """A step on a batch of one size, recorded once and played again on other rows."""

    def __init__(self, task: Task, optimizer: torch.optim.Optimizer, total: Tensor) -> None:
        self._task, self._optimizer, self._total = task, optimizer, total
        self._features, self._targets = task.features[: task.batch].clone(), task.targets[: task.batch].clone()
        self._graph = torch.cuda.CUDAGraph()
        before = {name: value.clone() for name, value in task.model.state_dict().items()}
        self._warm_up()
        optimizer.zero_grad()  # so that gradients are allocated in the graph's own memory
        with torch.cuda.graph(self._graph):
            self._run(self._features, self._targets)
        self._take_back(before)

    def __call__(self, features: Tensor, targets: Tensor) -> None:
        if len(features) < self._task.batch:  # the epoch's last one
            self._optimizer.zero_grad()
            self._run(features, targets)
            return
        self._features.copy_(features)
        self._targets.copy_(targets)
        self._graph.replay()

    def _run(self, features: Tensor, targets: Tensor) -> None:
        loss = self._task.loss(self._task.model(features), targets)
        loss.backward()
        self._optimizer.step()
        self._total.add_(loss.detach())

    def _warm_up(self) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._optimizer.zero_grad()
                self._run(self._features, self._targets)
        torch.cuda.current_stream().wait_stream(stream)

    def _take_back(self, before: dict[str, Tensor]) -> None:
        """What the warm-up has moved, in place: the graph knows where it lies."""
        self._task.model.load_state_dict(before)
        for state in self._optimizer.state.values():
            for value in state.values():
                value.zero_()


def captured(task: Task) -> Measured:
    total = torch.zeros((), device=task.features.device)
    step = _Step(task, task.optimizer(fused=True, capturable=True), total)

    def epoch(number: int) -> float:
        order = task.order(number)
        total.zero_()
        batches = zip(task.features[order].split(task.batch), task.targets[order].split(task.batch), strict=True)
        for features, targets in batches:
            step(features, targets)
        return float(total) / (len(order) / task.batch)

    return clocked(task, epoch)
