"""The model and how it moves: one step, one measurement."""

import math

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.data.dataset import Rows
from trainer.distributed import World
from trainer.errors import NonFinite
from trainer.objectives import Objective
from trainer.optimizers import set_rate
from trainer.schedules import Rate


class Learner:
    """Owns model and optimizer; counts nothing and saves nothing."""

    def __init__(
        self, world: World, model: nn.Module, optimizer: torch.optim.Optimizer, objective: Objective, rate: Rate
    ) -> None:
        self.world = world
        self.model = model
        self.optimizer = optimizer
        self.objective = objective
        self.rate = rate
        self._parallel = world.wrap(model)
        self._parameters = list(model.parameters())
        self._finite = torch.ones((), dtype=torch.bool, device=world.device)
        self._norm = torch.zeros((), device=world.device)

    def step(self, batch: Batch, epochs_done: float) -> Tensor:
        """One optimizer step; returns this rank's sums over its rows (see Objective.tally)."""
        set_rate(self.optimizer, self.rate(epochs_done))
        outputs = self._parallel(batch.features)
        loss_sum = self.objective.loss_sum(outputs, batch.targets)
        # DDP averages over ranks, whatever their shares are. Divided by the samples of all ranks and multiplied by
        # their number, the result is the gradient of the whole batch, also when the last one does not divide evenly.
        (loss_sum * (self.world.size / batch.size)).backward()  # type: ignore[no-untyped-call]
        self._look_at(loss_sum.detach())
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            return self.objective.tally(outputs, batch.targets, loss_sum)

    def warm_up(self, rows: Rows) -> None:
        """Two passes whose results are thrown away.

        DDP regroups its gradient buckets after the first backward pass, which changes the order of summation from
        three ranks on. After these passes a resumed training sums in the same order as one that never stopped.
        """
        if self.world.size == 1:
            return
        for _ in range(2):
            self.objective.loss_sum(self._parallel(rows.features[:1]), rows.targets[:1]).backward()  # type: ignore[no-untyped-call]
            self.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def measure(self, rows: Rows) -> Tensor:
        """Sums over rows, in evaluation mode."""
        outputs = self.model(rows.features)
        return self.objective.tally(outputs, rows.targets, self.objective.loss_sum(outputs, rows.targets))

    @property
    def gradient_norm(self) -> float:
        return float(self._norm)

    def check_finite(self) -> None:
        """NonFinite if any loss or gradient was NaN or infinite since the last look. A host synchronisation."""
        if not bool(self._finite):
            raise NonFinite(
                "a loss or a gradient was NaN or infinite; nothing was saved from it. "
                "Lower optimizer.learningRate, or look for extreme values in the data."
            )

    def _look_at(self, loss_sum: Tensor) -> None:
        """On a CPU at once, before the weights move; on a GPU only noted, because looking would stop the device."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        self._norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if self.world.device.type != "cpu":
            self._finite &= torch.isfinite(self._norm) & torch.isfinite(loss_sum)
        elif not (math.isfinite(self._norm.item()) and math.isfinite(loss_sum.item())):
            self._finite.fill_(False)
            self.check_finite()
