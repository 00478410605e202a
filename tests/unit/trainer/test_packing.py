"""What a program's objects say of their state comes back as it was, without pickle, or is refused by name."""

import random
from collections import Counter, OrderedDict, defaultdict
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainer.checkpoint import tensors as safe
from trainer.errors import CheckpointCorrupt, CheckpointMismatch, UserError
from trainer.script.objects import Objects
from trainer.script.packing import pack, unpack

TIED = torch.ones(3)
SQUARE = torch.arange(4.0).reshape(2, 2)


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, type and order of keys."""
    if isinstance(one, torch.Tensor):
        laid_out = one.stride() == torch.empty_like(other).stride()  # of a copy: there may be gaps between the values
        return one.dtype == other.dtype and laid_out and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        alike = type(one) is type(other) and getattr(one, "default_factory", 0) is getattr(other, "default_factory", 0)
        return alike and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


VALUES = [
    pytest.param([1, 2**80, 2.5, 0.1 + 0.2, None, True, "ä", (1, (2, []))], id="plain values"),
    pytest.param([float("inf"), -float("inf")], id="infinity"),
    pytest.param({3: {"a.b": 1}, ("k", 1): 2, None: 3, 0.5: 4, "3": 5}, id="keys that are no strings"),
    pytest.param({"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}}, id="two tensors at one path"),
    pytest.param({"a.b.c": torch.zeros(1), "a": {"b.c": torch.ones(1), "b": {"c": torch.ones(1) * 2}}}, id="three"),
    pytest.param([SQUARE, SQUARE.T], id="a matrix and its transpose"),
    pytest.param([TIED, TIED, TIED[:2], TIED[1:]], id="tied weights and views"),
    pytest.param(
        [torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last), torch.rand(2, 3, 4).permute(2, 0, 1)],
        id="dimensions in another order",
    ),
    pytest.param([Counter("aab"), OrderedDict(b=1, a=TIED), Counter()], id="dicts that are more"),
    pytest.param([defaultdict(list, {3: [1]}), defaultdict(int), defaultdict(None, a=1)], id="dicts with defaults"),
    pytest.param([torch.zeros(0, 3), torch.zeros(3, 0), torch.tensor(2.0), torch.eye(3)[:, 1:]], id="odd shapes"),
    pytest.param([torch.tensor([2**31], dtype=torch.uint32), torch.ones(1).to(torch.float8_e5m2)], id="odd types"),
    pytest.param([np.float64(2.5), np.uint64(2**63), np.arange(6).reshape(2, 3), np.broadcast_to(1.5, 3)], id="numpy"),
    pytest.param([random.getstate(), np.random.get_state(), torch.get_rng_state()], id="random generators"),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_state_comes_back_as_it_was(value: Any) -> None:
    assert same(unpack(safe.decode(safe.encode(pack({"it": value}))), "it"), value)


def test_tied_weights_are_written_once() -> None:
    packed = pack({"it": {"a": TIED, "b": TIED}})
    assert sum(tensor.dtype is torch.float32 for tensor in packed.values()) == 1


class Shelf(dict[str, int]):
    """A dict that knows more than its items."""


class Tracked(torch.Tensor):
    """A tensor that knows more than its numbers."""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param({"a": [0, {1, 2}]}, "it.a.1 is a builtins.set", id="a set"),
        pytest.param({"a": Shelf()}, "it.a is a .*Shelf", id="a dict of another class"),
        pytest.param([defaultdict(lambda: 1)], r"it.0 \(the default_factory\) is a builtins.function", id="a default"),
        pytest.param({"f": len}, "it.f is a builtins.builtin_function_or_method", id="a function"),
        pytest.param({frozenset(): 1}, "the key", id="a key that is no value"),
        pytest.param({TIED: 1}, "the key", id="a tensor as a key"),
        pytest.param([HTTPStatus.OK], "it.0 is a http.HTTPStatus", id="a number that is more"),
        pytest.param([torch.ones(1, dtype=torch.complex128)], "it.0", id="a type that files do not know"),
        pytest.param([np.array([object()])], "it.0 is a numpy.ndarray", id="an array of objects"),
        pytest.param([torch.ones(2).to_sparse()], "it.0", id="a sparse tensor"),
        pytest.param([torch.ones(2).as_subclass(Tracked)], "Tracked", id="a tensor of another class"),
        pytest.param([torch.ones(2, device="meta")], "it.0", id="a tensor without content"),
    ],
)
def test_what_cannot_be_held_is_named(value: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        pack({"it": value})


@pytest.mark.parametrize("tree", [b"{", b'{"pickle": 1}'], ids=["no JSON", "nothing that is known"])
def test_what_does_not_read_is_corrupt(tree: bytes) -> None:
    with pytest.raises(CheckpointCorrupt, match="`it` cannot be read"):
        unpack({"it(tree)": torch.frombuffer(bytearray(tree), dtype=torch.uint8)}, "it")


def test_what_makes_defaults_is_not_looked_up() -> None:
    tree = b'{"defaultdict": [], "factory": "eval"}'
    with pytest.raises(CheckpointCorrupt, match="`it` cannot be read"):
        unpack({"it(tree)": torch.frombuffer(bytearray(tree), dtype=torch.uint8)}, "it")


def scheduled(model: nn.Module) -> dict[str, object]:
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    rates = torch.optim.lr_scheduler
    warm = rates.LinearLR(optimizer, total_iters=2)
    sequence = rates.SequentialLR(optimizer, [warm, rates.MultiStepLR(optimizer, [2, 3])], [4])
    plateau = rates.ReduceLROnPlateau(optimizer)
    return {"model": model, "optimizer": optimizer, "sequence": sequence, "plateau": plateau, "counts": OrderedDict()}


def test_objects_of_torch_become_what_others_were() -> None:
    def build() -> dict[str, Any]:
        torch.manual_seed(0)
        return {**scheduled(nn.Linear(2, 1)), "generator": torch.Generator(), "python": random.Random(1)}

    def step(these: dict[str, Any]) -> float:
        loss = these["model"](torch.rand(4, 2, generator=these["generator"]) + these["python"].random()).sum()
        these["optimizer"].zero_grad()
        loss.backward()
        these["optimizer"].step()
        these["sequence"].step()
        these["plateau"].step(loss.item())
        these["counts"]["steps"] = these["counts"].get("steps", 0) + 1
        return loss.item()

    first, second = build(), build()
    for _ in range(3):
        step(first)
    Objects(second).load(safe.decode(safe.encode(Objects(first).pack())))
    assert [step(first) for _ in range(4)] == [step(second) for _ in range(4)]
    assert same(first["counts"], second["counts"])


def test_wrappers_stand_for_the_module_inside() -> None:
    model = nn.Linear(2, 1)
    compiled = nn.Module()
    compiled.__dict__["_orig_mod"] = model
    for wrapper in (nn.DataParallel(model), compiled, nn.DataParallel(compiled)):
        assert Objects({"model": wrapper}).modules == [model]


def test_a_dict_holds_what_was_saved_and_nothing_else() -> None:
    now = {"later": 1}
    Objects({"it": now}).load(Objects({"it": {"then": 2}}).pack())
    assert now == {"then": 2}


def test_what_a_dict_holds_is_filled_and_stays_what_others_know_it_as() -> None:
    def build(losses: list[float], value: float) -> dict[str, Any]:
        temperature = nn.Parameter(torch.full((2,), value))
        return {"losses": losses, "by class": {"a": [value]}, "temperature": temperature, "count": len(losses)}

    now, saved = build([9.0], 1.0), build([1.0, 2.0], 3.0)
    losses, values, temperature = now["losses"], now["by class"]["a"], now["temperature"]
    Objects({"it": now}).load(Objects({"it": saved}).pack())
    assert (losses, values, temperature.tolist(), now["count"]) == ([1.0, 2.0], [3.0], [3.0, 3.0], 2)
    assert now["losses"] is losses
    assert now["by class"]["a"] is values
    assert now["temperature"] is temperature
    assert temperature.requires_grad


def test_what_was_two_values_stays_two_where_the_program_begins_with_one() -> None:
    model, empty, zero = nn.Linear(1, 1, bias=False), [0], torch.zeros(1)
    now: dict[str, Any] = {"a": empty, "b": empty, "c": zero, "d": zero, "best": model.weight, "newest": model.weight}
    weight = torch.full((1, 1), 7.0)
    saved = {"a": [1], "b": [2], "c": torch.ones(1), "d": zero.clone(), "best": torch.ones(1, 1), "newest": weight}
    with torch.no_grad():
        other = nn.Linear(1, 1, bias=False)
        other.weight.fill_(7)
    Objects({"it": now, "model": model}).load(Objects({"it": saved, "model": other}).pack())
    assert [now[name] for name in "abcd"] == [[1], [2], torch.ones(1), torch.zeros(1)]
    assert (model.weight.item(), now["best"].item()) == (7, 1)
    assert now["newest"] is model.weight


@pytest.mark.parametrize(
    ("now", "saved"),
    [
        pytest.param(torch.zeros(3), torch.ones(2), id="another shape"),
        pytest.param(torch.zeros(2, dtype=torch.int64), torch.ones(2), id="another type"),
        pytest.param(torch.zeros(1).expand(2), torch.ones(2), id="one value for all"),
        pytest.param([1], (1, 2), id="no list any more"),
    ],
)
def test_what_does_not_fit_is_replaced(now: Any, saved: Any) -> None:
    holder = {"it": now}
    Objects({"holder": holder}).load(Objects({"holder": {"it": saved}}).pack())
    assert same(holder["it"], saved)


def test_small_are_all_but_weights_and_moments() -> None:
    assert list(Objects(scheduled(nn.Linear(2, 1))).small().pack()) == [
        "optimizer(tree)",
        "sequence(tree)",
        "plateau(tree)",
        "counts(tree)",
    ]


def test_what_has_no_state_is_named() -> None:
    with pytest.raises(UserError, match=r"start\(it=\.\.\.\): a int has no state_dict"):
        Objects({"it": 1})


@pytest.mark.parametrize(
    ("now", "words"),
    [
        pytest.param({"model": nn.Linear(2, 1), "more": {}}, "`model`, `more`", id="another object"),
        pytest.param({}, "the program gives nothing", id="no object"),
        pytest.param({"model": nn.Linear(3, 1)}, "`model` does not take its state", id="another shape"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(now: dict[str, object], words: str) -> None:
    saved = Objects({"model": nn.Linear(2, 1)}).pack()
    with pytest.raises(CheckpointMismatch, match=words):
        Objects(now).load(saved)
