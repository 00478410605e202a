"""Every optimizer is PyTorch's, and goes on from its saved tensors as if it had never stopped."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainer.checkpoint import tensors as safe
from trainer.learning.optimizers import build_optimizer, load_state_tensors, set_pace, state_tensors
from trainer.learning.paces import Pace
from trainingjob_api.spec.training import Optimizer

RATE = 0.05
Build = Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer]


def weights() -> list[nn.Parameter]:
    torch.manual_seed(1)
    pixels = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    return [nn.Parameter(values) for values in (torch.randn(7, 5), torch.randn(7), torch.randn(3, 5).T, pixels)]


def move(parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer, steps: range) -> None:
    """Towards changing points, at changing rates."""
    for step in steps:
        set_pace(optimizer, Pace(RATE * (1 + step % 3)))
        generator = torch.Generator().manual_seed(step)
        for parameter in parameters:
            parameter.grad = parameter.detach() - torch.randn(parameter.shape, generator=generator)
        optimizer.step()


KINDS: list[tuple[str, dict[str, Any], Build]] = [
    ("adam", {"type": "adam"}, lambda p: torch.optim.Adam(p, lr=RATE)),
    (
        "adam with decay",
        {"type": "adam", "weightDecay": 0.1},
        lambda p: torch.optim.Adam(p, lr=RATE, weight_decay=0.1),
    ),
    ("adamw decays by itself", {"type": "adamw"}, lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0.01)),
    (
        "adamw without decay",
        {"type": "adamw", "weightDecay": 0},
        lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0),
    ),
    ("sgd", {"type": "sgd"}, lambda p: torch.optim.SGD(p, lr=RATE)),
    (
        "sgd with momentum",
        {"type": "sgd", "momentum": 0.9, "weightDecay": 0.02},
        lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9, weight_decay=0.02),
    ),
    (
        "nesterov",
        {"type": "sgd", "momentum": 0.8, "nesterov": True},
        lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.8, nesterov=True),
    ),
    ("adagrad", {"type": "adagrad"}, lambda p: torch.optim.Adagrad(p, lr=RATE)),
    (
        "adagrad with decay",
        {"type": "adagrad", "weightDecay": 0.1},
        lambda p: torch.optim.Adagrad(p, lr=RATE, weight_decay=0.1),
    ),
    ("rmsprop", {"type": "rmsprop"}, lambda p: torch.optim.RMSprop(p, lr=RATE)),
    (
        "rmsprop with momentum",
        {"type": "rmsprop", "momentum": 0.7, "weightDecay": 0.1},
        lambda p: torch.optim.RMSprop(p, lr=RATE, momentum=0.7, weight_decay=0.1),
    ),
]


def ours(fields: dict[str, Any]) -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
    parameters = weights()
    return parameters, build_optimizer(Optimizer.model_validate({**fields, "learningRate": RATE}), parameters)


@pytest.mark.parametrize(("fields", "build"), [pytest.param(*row[1:], id=row[0]) for row in KINDS])
def test_ten_steps_are_pytorchs(fields: dict[str, Any], build: Build) -> None:
    found, optimizer = ours(fields)
    expected = weights()
    move(found, optimizer, range(10))
    move(expected, build(expected), range(10))
    for one, other, start in zip(found, expected, weights(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(one, start, atol=0.01)


@pytest.mark.parametrize("fields", [pytest.param(row[1], id=row[0]) for row in KINDS])
@pytest.mark.parametrize("before", [0, 1, 6], ids=["before any step", "after the first", "in the middle"])
def test_saved_and_loaded_it_goes_on_with_the_same_bits(fields: dict[str, Any], before: int) -> None:
    undisturbed, optimizer = ours(fields)
    move(undisturbed, optimizer, range(before))
    saved = safe.decode(safe.encode(state_tensors(optimizer)))
    values = [parameter.detach().clone() for parameter in undisturbed]
    move(undisturbed, optimizer, range(before, 12))

    resumed, other = ours(fields)
    load_state_tensors(other, saved)
    with torch.no_grad():
        for parameter, value in zip(resumed, values, strict=True):
            parameter.copy_(value)
    move(resumed, other, range(before, 12))
    assert all(torch.equal(one, two) for one, two in zip(undisturbed, resumed, strict=True))
    assert _bits(state_tensors(optimizer)) == _bits(state_tensors(other))


def test_rates_come_from_the_recipe_and_not_from_what_was_saved() -> None:
    _, optimizer = ours({"type": "adam"})
    set_pace(optimizer, Pace(7.0))
    _, other = ours({"type": "adam"})
    load_state_tensors(other, state_tensors(optimizer))
    assert [group["lr"] for group in other.param_groups] == [RATE]


def test_a_momentum_that_changes_every_step_is_pytorchs() -> None:
    for fields, build in (
        ({"type": "sgd"}, lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9)),
        ({"type": "adamw"}, lambda p: torch.optim.AdamW(p, lr=RATE)),
        ({"type": "rmsprop"}, lambda p: torch.optim.RMSprop(p, lr=RATE, momentum=0.9)),
    ):
        found, expected = weights(), weights()
        optimizer = build_optimizer(Optimizer.model_validate({**fields, "learningRate": RATE}), found, momentum=0.9)
        theirs = build(expected)
        for step in range(8):
            momentum = 0.9 - 0.05 * step
            set_pace(optimizer, Pace(RATE, momentum))
            for group in theirs.param_groups:
                group.update({"betas": (momentum, 0.999)} if "betas" in group else {"momentum": momentum})
            for one, other in zip(found, expected, strict=True):
                one.grad, other.grad = one.detach() - step, other.detach() - step
            optimizer.step()
            theirs.step()
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("type_", ["sgd", "rmsprop"])
@pytest.mark.parametrize(("before", "after"), [({}, {"momentum": 0.9}), ({"momentum": 0.9}, {})])
def test_momentum_can_come_and_go_in_a_pause(type_: str, before: dict[str, float], after: dict[str, float]) -> None:
    parameters, first = ours({"type": type_, **before})
    move(parameters, first, range(3))
    resumed, second = ours({"type": type_, **after})
    load_state_tensors(second, state_tensors(first))
    move(resumed, second, range(3))
    assert all(bool(parameter.isfinite().all()) for parameter in resumed)


def _bits(tensors: dict[str, Tensor]) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in tensors.items()}
