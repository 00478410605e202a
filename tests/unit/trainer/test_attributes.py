"""What a program keeps in its modules that no checkpoint holds is noticed, and what it does not keep is not."""

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.classification import BinaryAccuracy

from trainer.learning.exactness import Likeness, doubted
from trainer.script.attributes import Attributes
from trainer.script.gradients import Gradients


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.count, self.rate, self.names = 0, 0.5, ["a", "b"]
        self.seen: list[Any] = []
        self.by_name: dict[str, Any] = {}
        self.last = deque([1, 2], maxlen=2)
        self.mean = torch.zeros(3)
        self.large = torch.zeros(5000)
        self.noise = torch.Generator().manual_seed(1)
        self.source, self.array = random.Random(1), np.random.default_rng(1)
        self.register_buffer("passing", torch.zeros(1), persistent=False)
        self.register_buffer("kept", torch.zeros(1))
        self.accuracy = BinaryAccuracy()
        self._cache = 0


class SavesMore(Net):
    def get_extra_state(self) -> Any:
        return self.count


def add_to_mean(net: Net) -> None:
    net.mean.add_(1)


def step(net: Net) -> None:
    net(torch.ones(2, 2))


Net.forward = lambda self, x: self.line(x)  # type: ignore[method-assign]
NOTICED = [
    pytest.param(lambda net: setattr(net, "count", 1), "net.count", id="a counter"),
    pytest.param(lambda net: setattr(net, "rate", 0.25), "net.rate", id="a rate"),
    pytest.param(lambda net: net.seen.append(torch.ones(1)), "net.seen", id="a list that fills"),
    pytest.param(lambda net: net.by_name.update(a=1.0), "net.by_name", id="a dict that fills"),
    pytest.param(lambda net: net.last.append(3), "net.last", id="a deque that moves"),
    pytest.param(add_to_mean, "net.mean", id="a tensor that is no buffer"),
    pytest.param(lambda net: net.large.add_(1), "net.large", id="a large one"),
    pytest.param(lambda net: torch.rand(1, generator=net.noise), "net.noise", id="a generator of torch"),
    pytest.param(lambda net: net.source.random(), "net.source", id="a generator of Python"),
    pytest.param(lambda net: net.array.random(), "net.array", id="a generator of numpy"),
    pytest.param(lambda net: net.passing.add_(1), "net.passing", id="a buffer that is in no state"),
    pytest.param(lambda net: net.line[0].__dict__.update(calls=1), "net.line.0.calls", id="below"),
    pytest.param(
        lambda net: net.accuracy.update(torch.tensor([1.0]), torch.tensor([1])), "net.accuracy.tp", id="a metric's sums"
    ),
]
UNNOTICED = [
    pytest.param(lambda net: None, id="nothing"),
    pytest.param(step, id="a forward pass"),
    pytest.param(lambda net: net.eval(), id="evaluation"),
    pytest.param(lambda net: net.kept.add_(1), id="a buffer that is saved"),
    pytest.param(lambda net: setattr(net, "_cache", 5), id="a name of the module's own"),
    pytest.param(lambda net: net.names.append("c"), id="words"),
    pytest.param(lambda net: (net.seen.append(1), net.seen.clear()), id="a list that is empty again"),
    pytest.param(
        lambda net: (net.accuracy.update(torch.tensor([1.0]), torch.tensor([1])), net.accuracy.reset()),
        id="a metric that was reset",
    ),
]


@pytest.mark.parametrize(("change", "name"), NOTICED)
def test_what_nobody_saves_is_named(change: Callable[[Net], object], name: str) -> None:
    net = Net()
    attributes = Attributes({"net": net})
    change(net)
    assert [text.split(" ")[0] for text in attributes.doubts()][:1] == [name]


@pytest.mark.parametrize("change", UNNOTICED)
def test_what_is_saved_or_need_not_be_is_not_named(change: Callable[[Net], object]) -> None:
    net = Net()
    attributes = Attributes({"net": net})
    change(net)
    assert attributes.doubts() == []


def test_a_module_that_saves_more_is_trusted() -> None:
    net = SavesMore()
    attributes = Attributes({"net": net})
    net.count = 5
    assert attributes.doubts() == []


def test_doubts_make_a_resume_approximate_and_are_its_reason() -> None:
    assert doubted(Likeness("Bitwise"), ()) == Likeness("Bitwise")
    assert doubted(Likeness("StepExact", "threads"), ("a", "b")) == Likeness("Approximate", "threads; a; b")


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_that_cannot_be_saved_are_told(sparse: bool) -> None:
    module = nn.Embedding(3, 2, sparse=sparse)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    gradients = Gradients([module], [optimizer])
    module(torch.tensor([1])).sum().backward()
    gradients.close_step()
    assert (len(gradients.state()), len(gradients.doubts())) == ((0, 1) if sparse else (1, 0))
    optimizer.step()
    gradients.close_step()
    assert (gradients.state(), gradients.doubts()) == ({}, [])


def test_of_two_optimizers_the_one_that_waits_has_its_gradients_saved() -> None:
    one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    optimizers = [torch.optim.SGD(each.parameters(), 0.1) for each in (one, other)]
    gradients = Gradients([one, other], optimizers)
    other(one(torch.ones(1))).backward()
    optimizers[0].step()
    gradients.close_step()
    saved = gradients.state()
    assert [saved[number] is parameter.grad for number, parameter in zip((2, 3), other.parameters(), strict=True)] == [
        True,
        True,
    ]
    other.zero_grad()
    gradients.load({number: None if grad is None else grad.clone() for number, grad in saved.items()})
    assert other.weight.grad is not None
    assert one.weight.grad is not None
