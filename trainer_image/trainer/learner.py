"""The model and how it moves: one step, one measurement."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.data.rows import Rows
from trainer.distributed import World
from trainer.errors import NonFinite
from trainer.models import buffers_kept
from trainer.objectives import Objective
from trainer.optimizers import load_state_tensors, set_rate, state_tensors
from trainingjob_api.spec.training import Training

_SMALLEST_SCALE = 2.0**-10
_SCALER = "scaler."


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
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._weights = [parameter for parameter in self._parameters if parameter.dim() > 1]
        self._penalty = recipe.regularization
        self._clip_norm = recipe.gradient.clip_norm
        self._precision = getattr(torch, recipe.precision)
        self._scaler = torch.amp.GradScaler(world.device.type) if recipe.precision == "float16" else None
        self._finite = torch.ones((), dtype=torch.bool, device=world.device)
        self._norm = torch.zeros((), device=world.device)

    def step(self, batch: Batch, rate: float) -> Tensor:
        """One optimizer step; returns this rank's sums over its rows (see Objective.tally)."""
        set_rate(self.optimizer, rate)
        tally = reduce(torch.add, [self._backward(batch, part) for part in self._parts(batch)])
        if self._scaler is not None:
            self._scaler.unscale_(self.optimizer)
        self._penalize()
        self._look_at(tally[0])
        if self._clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self._parameters, self._clip_norm, self._norm)
        if self._scaler is None:
            self.optimizer.step()
        else:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return tally

    def _parts(self, batch: Batch) -> Iterator[slice]:
        """The rows of this rank that go through the network together; as many parts on every rank, perhaps empty."""
        count = -(-batch.size // batch.part_size)
        share = -(-batch.part_size // self.world.size)
        bounds = [*(number * share for number in range(count)), None]
        for number, (start, end) in enumerate(pairwise(bounds), start=1):
            with self._gradients_summed(over_ranks=number == count):
                yield slice(start, end)

    def _gradients_summed(self, over_ranks: bool) -> contextlib.AbstractContextManager[None]:
        if over_ranks or self.world.size == 1:
            return contextlib.nullcontext()
        return self._parallel.no_sync()  # type: ignore[operator, no-any-return]

    def _backward(self, batch: Batch, part: slice) -> Tensor:
        targets = batch.targets[part]
        outputs = self._outputs(self._parallel, batch.features[part])
        loss_sum = self.objective.loss_sum(outputs, targets)
        # DDP averages over ranks, whatever their shares are. Divided by the samples of all ranks and multiplied by
        # their number, the result is the gradient of the whole batch, also when the last one does not divide evenly.
        loss = loss_sum * (self.world.size / batch.size)
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            return self.objective.tally(outputs, targets, loss_sum)

    def _outputs(self, model: nn.Module, features: Tensor) -> Tensor:
        reduced = self._precision is not torch.float32
        with torch.autocast(self.world.device.type, self._precision) if reduced else contextlib.nullcontext():
            outputs: Tensor = model(features)
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
    def measure(self, features: Tensor, targets: Tensor) -> Tensor:
        """Sums over rows, in evaluation mode (see Objective.evaluate)."""
        outputs = self._outputs(self.model, features)
        return self.objective.evaluate(outputs, targets)

    @property
    def gradient_norm(self) -> float:
        return float(self._norm)

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
        if self._scaler is not None:  # it skips a step whose gradients overflow, and scales less from then on
            scale = self._scaler._get_scale_async()
            assert scale is not None  # since the loss was scaled
            self._finite &= torch.isfinite(loss_sum) & (scale.squeeze() >= _SMALLEST_SCALE)
        elif self.world.device.type != "cpu":
            self._finite &= torch.isfinite(self._norm) & torch.isfinite(loss_sum)
        elif not (math.isfinite(self._norm.item()) and math.isfinite(loss_sum.item())):
            self._finite.fill_(False)
        if self.world.device.type == "cpu":
            self.check_finite()
