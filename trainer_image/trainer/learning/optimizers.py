"""The optimizers that a recipe can name, and their state as plain tensors."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from trainer.learning.paces import Pace
from trainingjob_api.base import given
from trainingjob_api.spec.training import Optimizer

_ADAMW_DECAY = 0.01


def build_optimizer(
    spec: Optimizer, parameters: Iterable[nn.Parameter], momentum: float | None = None
) -> torch.optim.Optimizer:
    """Fused where PyTorch can: one kernel for all parameters, several times faster for small models.

    momentum: that of the first step, if a schedule changes it.
    """
    rate, momentum = spec.learning_rate, given(momentum, spec.momentum or 0.0)
    decay = spec.weight_decay if spec.weight_decay is not None else (_ADAMW_DECAY if spec.type == "adamw" else 0.0)
    match spec.type:
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        case "sgd":
            nesterov = bool(spec.nesterov)
            sgd = torch.optim.SGD(
                parameters, lr=rate, momentum=momentum, nesterov=nesterov, weight_decay=decay, fused=True
            )
            _give_momentum(sgd)
            return sgd
        case "adagrad":
            return torch.optim.Adagrad(parameters, lr=rate, weight_decay=decay, foreach=True)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate, momentum=momentum, weight_decay=decay, foreach=True)


def set_pace(optimizer: torch.optim.Optimizer, pace: Pace) -> None:
    """For the next step."""
    for group in optimizer.param_groups:
        group["lr"] = pace.rate
        if pace.momentum is not None and "betas" in group:
            group["betas"] = pace.momentum, group["betas"][1]
        elif pace.momentum is not None:
            group["momentum"] = pace.momentum


def state_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """`<parameter's number>.<name>` -> tensor. Rates and decays come from the recipe, not from here."""
    state: Mapping[int, Mapping[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, values in state.items() for name, value in values.items()}


def load_state_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    _lay_out_as_weights(optimizer)
    _give_momentum(optimizer)


def _lay_out_as_weights(optimizer: torch.optim.Optimizer) -> None:
    """Fused kernels pair a weight with its moments by their place in memory: channels_last must be so in both."""
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if value.shape == parameter.shape and value.stride() != parameter.stride():
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _give_momentum(optimizer: torch.optim.Optimizer) -> None:
    """A momentum of zero where there is none yet, which gives the same step as PyTorch's own beginning.

    SGD's fused kernel leaves a new buffer as it found the memory when float16 skips the first step for its overflow;
    RMSprop fails without one if a recipe gets its momentum in a pause.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"] if group.get("momentum") else ():
            state = optimizer.state[parameter]
            if isinstance(optimizer, torch.optim.SGD) or state:
                state.setdefault("momentum_buffer", torch.zeros_like(parameter))
