"""What an epoch's training rows sum up to, and which of them still wait to be summed up."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from trainer.learning.objectives import Objective

_MOST_STEPS = 16
_MOST_VALUES = 65_536
_TOTAL, _OUTPUTS, _TARGETS, _LOSSES = "tally", "tally_outputs", "tally_targets", "tally_losses"


class EpochSums:
    """One rank's sums (see Objective.tally), of several small steps at once: for one, calling costs more than summing.

    Which steps are summed up together decides about rounding, so a pause must not change it: those that wait are part
    of a checkpoint.
    """

    def __init__(self, objective: Objective, device: torch.device) -> None:
        self._objective = objective
        self._total = torch.zeros(objective.train_sums, dtype=torch.float64, device=device)
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._losses: list[Tensor] = []

    def add(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor, samples: int) -> None:
        """A step of so many samples of all ranks: what the network gave for this rank's share, and its loss."""
        self._outputs.append(outputs)
        self._targets.append(targets)
        self._losses.append(loss_sum)
        steps = len(self._losses)
        if steps == _MOST_STEPS or steps * samples * self._objective.outputs >= _MOST_VALUES:
            self._sum_up()

    def total(self) -> Tensor:
        """Of all steps of the epoch so far. To be asked at its end only: nothing waits afterwards."""
        self._sum_up()
        return self._total

    def clear(self) -> None:
        """Another epoch begins."""
        self._forget()
        self._total = torch.zeros_like(self._total)

    def tensors(self) -> dict[str, Tensor]:
        """For a checkpoint, on the CPU."""
        tensors = {_TOTAL: self._total}
        if self._losses:
            waiting = torch.cat(self._outputs), torch.cat(self._targets), torch.stack(self._losses)
            tensors |= dict(zip((_OUTPUTS, _TARGETS, _LOSSES), waiting, strict=True))
        return {name: tensor.cpu() for name, tensor in tensors.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """What `tensors` gave, of this rank or another."""
        self._forget()
        self._total = tensors[_TOTAL].to(self._total)
        if _LOSSES in tensors:
            device = self._total.device
            self._outputs, self._targets = [tensors[_OUTPUTS].to(device)], [tensors[_TARGETS].to(device)]
            self._losses = list(tensors[_LOSSES].to(device))

    def load_all(self, ranks: Sequence[Mapping[str, Tensor]]) -> None:
        """The sums of all ranks together, what waited included."""
        totals = []
        for tensors in ranks:
            self.load(tensors)
            totals.append(self.total())
        self._total = torch.stack(totals).sum(dim=0)

    def _sum_up(self) -> None:
        if self._losses:
            loss_sum = torch.stack(self._losses).double().sum()
            self._total += self._objective.tally(torch.cat(self._outputs), torch.cat(self._targets), loss_sum)
            self._forget()

    def _forget(self) -> None:
        self._outputs, self._targets, self._losses = [], [], []
