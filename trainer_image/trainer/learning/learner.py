"""The model and how it moves: one step, one measurement."""

import contextlib
import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.data.rows import Rows
from trainer.distributed import World
from trainer.errors import NonFinite
from trainer.learning.compilation import compiled
from trainer.learning.objectives import Objective
from trainer.learning.optimizers import load_state_tensors, set_pace, state_tensors
from trainer.learning.paces import Pace
from trainer.learning.without_compiler import backward
from trainer.models import buffers_kept
from trainingjob_api.spec.training import Training

_SMALLEST_SCALE = 2.0**-10
_SCALER = "scaler."
_DEVIATING = 2  # rows have a deviation


class Learner:
    """Owns model and optimizer; counts nothing and saves nothing."""

    def __init__(
        self, recipe: Training, world: World, model: nn.Module, optimizer: torch.optim.Optimizer, objective: Objective
    ) -> None:
        self.world = world
        self.model = model
        self.optimizer = optimizer
        self.objective = objective
        self._parallel = world.wrap(model)
        if recipe.compile:
            self._parallel = compiled(self._parallel)
        self._parameters = list(model.parameters())
        self._weights = [parameter for parameter in self._parameters if parameter.dim() > 1]
        self._penalty = recipe.regularization
        self._clip_norm = recipe.gradient.clip_norm
        self._precision = getattr(torch, recipe.precision)
        self._scaler = torch.amp.GradScaler(world.device.type) if recipe.precision == "float16" else None
        self._has_norms = any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in model.modules())
        self._finite = torch.ones((), dtype=torch.bool, device=world.device)
        self._norm = self._no_norm = torch.zeros((), device=world.device)
        self._weights_of_losses: dict[int, Tensor] = {}
        self.values_of_a_row = 1
        """Inputs of a row, or outputs of the widest layer for it: what decides how many rows fit into memory."""

    def step(self, batch: Batch, pace: Pace) -> tuple[Tensor, Tensor]:
        """One optimizer step; returns the outputs for this rank's rows and the sum of their losses."""
        set_pace(self.optimizer, pace)
        if self._has_norms and self._fewest_rows(batch) < _DEVIATING:
            self.world.share(self.model.buffers())  # a share that small is normalised with them: see layers.BatchNorm1d
        for parameter in self._parameters:  # at the beginning: until then the last gradient can be looked at
            parameter.grad = None
        outputs, loss_sum = self._backward_in_parts(batch)
        if self._scaler is not None:
            self._scaler.unscale_(self.optimizer)
        self._penalize()
        self._look_at(loss_sum)
        if self._clip_norm is not None:
            self._norm = self._norm_of_gradients()
            nn.utils.clip_grads_with_norm_(self._parameters, self._clip_norm, self._norm)
        if self._scaler is None:
            self.optimizer.step()
        else:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        return outputs, loss_sum

    def _backward_in_parts(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if batch.size <= batch.part_size:
            return self._backward(batch.features, batch.targets, batch.size)
        parts = [self._backward(batch.features[part], batch.targets[part], batch.size) for part in self._parts(batch)]
        outputs, losses = zip(*parts, strict=True)
        return torch.cat(outputs), torch.stack(losses).sum()

    def _parts(self, batch: Batch) -> Iterator[slice]:
        """The rows of this rank that go through the network together; as many parts on every rank, perhaps empty."""
        count = -(-batch.size // batch.part_size)
        share = -(-batch.part_size // self.world.size)
        for number in range(count):
            with self._gradients_summed(over_ranks=number == count - 1):
                yield slice(number * share, (number + 1) * share)

    def _fewest_rows(self, batch: Batch) -> int:
        """That any rank has at a time."""
        parts, share = -(-batch.size // batch.part_size), -(-batch.part_size // self.world.size)
        return min(share, batch.size // self.world.size - (parts - 1) * share)

    def _gradients_summed(self, over_ranks: bool) -> contextlib.AbstractContextManager[None]:
        if over_ranks or self.world.size == 1:
            return contextlib.nullcontext()
        return self._parallel.no_sync()  # type: ignore[operator, no-any-return]

    def _backward(self, features: Tensor, targets: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        outputs = self._outputs(self._parallel, features)
        loss_sum = self.objective.loss_sum(outputs, targets)
        weight = self._weight(samples)
        backward(loss_sum, weight if self._scaler is None else self._scaler.scale(weight))
        return outputs.detach(), loss_sum.detach()

    def _weight(self, samples: int) -> Tensor:
        """What a loss counts in the gradient of a batch of so many samples of all ranks.

        DDP averages over ranks, whatever their shares are. Divided by the samples of all ranks and multiplied by
        their number, the result is the gradient of the whole batch, also when the last one does not divide evenly.
        """
        if samples not in self._weights_of_losses:
            self._weights_of_losses[samples] = torch.tensor(self.world.size / samples, device=self.world.device)
        return self._weights_of_losses[samples]

    def _outputs(self, model: nn.Module, features: Tensor) -> Tensor:
        if self._precision is torch.float32:
            outputs: Tensor = model(features)
        else:
            with torch.autocast(self.world.device.type, self._precision):
                outputs = model(features)
        return outputs.float()

    def _penalize(self) -> None:
        """The gradient of l1 x sum of absolute values + l2 x sum of squares, over the weights of layers."""
        if self._penalty is None:
            return
        for weight in self._weights:
            if weight.grad is not None:
                weight.grad.add_(weight.detach().sign(), alpha=self._penalty.l1)
                weight.grad.add_(weight.detach(), alpha=2 * self._penalty.l2)

    def warm_up(self, rows: Rows) -> None:
        """Two passes whose results are thrown away.

        DDP regroups its gradient buckets after the first backward pass, which changes the order of summation from
        three ranks on. After these passes a resumed training sums in the same order as one that never stopped.
        """
        if self.world.size == 1:
            return
        features, targets = rows.take(torch.zeros(2, dtype=torch.int64))
        with buffers_kept(self.model):
            for _ in range(2):
                self.objective.loss_sum(self._outputs(self._parallel, features), targets).backward()  # type: ignore[no-untyped-call]
                self.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def outputs(self, features: Tensor) -> Tensor:
        """Of rows that are not trained on; the model must be in evaluation mode."""
        return self._outputs(self.model, features)

    @property
    def gradient_norm(self) -> float:
        """Of the last step, before clipping; 0 if there was none. A host synchronisation."""
        return float(self._norm_of_gradients() if self._clip_norm is None else self._norm)

    def _norm_of_gradients(self) -> Tensor:
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))) if gradients else self._no_norm

    def state_tensors(self) -> dict[str, Tensor]:
        """The optimizer's state, and the loss scale of float16."""
        if self._scaler is None:
            return state_tensors(self.optimizer)
        state = self._scaler.state_dict()
        scaler = {"scale": state["scale"], "growth_tracker": state["_growth_tracker"]}
        own = {f"{_SCALER}{name}": torch.tensor(float(value), dtype=torch.float64) for name, value in scaler.items()}
        return {**state_tensors(self.optimizer), **own}

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        load_state_tensors(self.optimizer, {n: value for n, value in tensors.items() if not n.startswith(_SCALER)})
        if self._scaler is not None and f"{_SCALER}scale" in tensors:
            scale, tracker = float(tensors[f"{_SCALER}scale"]), int(tensors[f"{_SCALER}growth_tracker"])
            self._scaler.load_state_dict({**self._scaler.state_dict(), "scale": scale, "_growth_tracker": tracker})

    def check_finite(self) -> None:
        """NonFinite if a loss was NaN or infinite since the last look, or the last gradient. A host synchronisation.

        What an earlier gradient of this kind has left of the weights shows in the losses after it.
        """
        if not bool(self._finite) or (self._scaler is None and not math.isfinite(self.gradient_norm)):
            raise NonFinite(
                "a loss or a gradient was NaN or infinite; nothing was saved from it. "
                "Lower optimizer.learningRate, or look for extreme values in the data."
            )

    def _look_at(self, loss_sum: Tensor) -> None:
        """On a CPU at once, before the weights move; on a GPU only noted, because looking would stop the device."""
        if self._scaler is not None:  # it skips a step whose gradients overflow, and scales less from then on
            scale = self._scaler._get_scale_async()
            assert scale is not None  # since the loss was scaled
            self._finite &= torch.isfinite(loss_sum) & (scale.squeeze() >= _SMALLEST_SCALE)
        elif self.world.device.type != "cpu":
            self._finite &= torch.isfinite(loss_sum)
        elif not math.isfinite(loss_sum.item()):
            self._finite.fill_(False)
            self.check_finite()
        if self._scaler is not None and self.world.device.type == "cpu":
            self.check_finite()
