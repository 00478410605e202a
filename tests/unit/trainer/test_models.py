"""The networks against ones that are written out by hand, and with batches that few networks are made for."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainer.errors import UserError
from trainer.models import Effort, Shapes, build_model, effort_of
from trainer.models.lstms import can_train_lstms, keep_lstms_in_float32
from trainingjob_api.spec.training import NetworkModel

COLUMNS, IMAGES, SEQUENCES = (10,), (3, 12, 8), (5, 4)
SMALL = {"hiddenUnits": [7, 6]}


def network(inputs: tuple[int, ...] = COLUMNS, outputs: int = 3, **fields: Any) -> nn.Module:
    torch.manual_seed(3)
    return build_model(NetworkModel.model_validate(fields), Shapes(inputs, outputs))


def rows(inputs: tuple[int, ...], count: int = 9) -> Tensor:
    return torch.randn(count, Shapes(inputs, 1).features, generator=torch.Generator().manual_seed(1))


class HandWrittenRecurrent(nn.Module):
    """Two bidirectional layers and the final states of both directions, as PyTorch's own documentation has them."""

    def __init__(self, layer: type[nn.LSTM | nn.GRU]) -> None:
        super().__init__()
        self.first = layer(4, 7, batch_first=True, bidirectional=True)
        self.second = layer(14, 6, batch_first=True, bidirectional=True)
        self.last = nn.Linear(12, 3)

    def forward(self, rows: Tensor) -> Tensor:
        outputs, _ = self.first(rows.reshape(-1, 5, 4))
        _, state = self.second(outputs)
        hidden = state[0] if isinstance(state, tuple) else state
        result: Tensor = self.last(torch.cat([hidden[0], hidden[1]], dim=1))
        return result


class HandWrittenReadout(nn.Module):
    """One layer whose outputs over time are reduced."""

    def __init__(self, layer: type[nn.LSTM | nn.GRU], reduce: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = layer(4, 7, batch_first=True)
        self.last = nn.Linear(7, 3)
        self.reduce = reduce

    def forward(self, rows: Tensor) -> Tensor:
        result: Tensor = self.last(self.reduce(self.layer(rows.reshape(-1, 5, 4))[0]))
        return result


HAND_WRITTEN: dict[str, tuple[tuple[int, ...], dict[str, Any], Callable[[], nn.Module]]] = {
    "mlp": (
        COLUMNS,
        {"type": "mlp", **SMALL},
        lambda: nn.Sequential(nn.Linear(10, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3)),
    ),
    "mlp takes images as they lie in a row": (
        IMAGES,
        {"type": "mlp", "hiddenUnits": [7]},
        lambda: nn.Sequential(nn.Linear(288, 7), nn.ReLU(), nn.Linear(7, 3)),
    ),
    "mlp with batch norm and dropout": (
        COLUMNS,
        {"type": "mlp", **SMALL, "batchNorm": True, "dropout": 0.5, "activation": "tanh"},
        lambda: nn.Sequential(
            *(nn.Linear(10, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Dropout(0.5)),
            *(nn.Linear(7, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5)),
            nn.Linear(6, 3),
        ),
    ),
    "cnn with nothing chosen": (
        IMAGES,
        {"type": "cnn"},
        lambda: nn.Sequential(
            nn.Unflatten(1, IMAGES),
            *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
            *(nn.Linear(64 * 3 * 2, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3)),
        ),
    ),
    "cnn with everything chosen": (
        IMAGES,
        {
            **{"type": "cnn", **SMALL, "channels": [5, 4], "kernelSizes": [5, 4], "pooling": "average"},
            **{"batchNorm": True, "dropout": 0.25, "activation": "elu"},
        },
        lambda: nn.Sequential(
            nn.Unflatten(1, IMAGES),
            *(nn.Conv2d(3, 5, 5, padding="same"), nn.BatchNorm2d(5), nn.ELU(), nn.AvgPool2d(2)),
            *(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(5, 4, 4), nn.BatchNorm2d(4), nn.ELU(), nn.AvgPool2d(2)),
            nn.Flatten(),
            *(nn.Linear(4 * 3 * 2, 7), nn.BatchNorm1d(7), nn.ELU(), nn.Dropout(0.25)),
            *(nn.Linear(7, 6), nn.BatchNorm1d(6), nn.ELU(), nn.Dropout(0.25)),
            nn.Linear(6, 3),
        ),
    ),
    "cnn without pooling, one kernel size for all": (
        (1, 4, 4),
        {"type": "cnn", "hiddenUnits": [7], "channels": [2, 2], "kernelSizes": [1], "pooling": "none"},
        lambda: nn.Sequential(
            nn.Unflatten(1, (1, 4, 4)),
            *(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(32, 7), nn.ReLU(), nn.Linear(7, 3)),
        ),
    ),
    "lstm in both directions": (
        SEQUENCES,
        {"type": "lstm", **SMALL, "bidirectional": True},
        lambda: HandWrittenRecurrent(nn.LSTM),
    ),
    "gru in both directions": (
        SEQUENCES,
        {"type": "gru", **SMALL, "bidirectional": True},
        lambda: HandWrittenRecurrent(nn.GRU),
    ),
    "lstm that reads the last": (
        SEQUENCES,
        {"type": "lstm", "hiddenUnits": [7]},
        lambda: HandWrittenReadout(nn.LSTM, lambda outputs: outputs[:, -1]),
    ),
    "gru that reads the mean": (
        SEQUENCES,
        {"type": "gru", "hiddenUnits": [7], "readout": "mean"},
        lambda: HandWrittenReadout(nn.GRU, lambda outputs: outputs.mean(1)),
    ),
    "lstm that reads the maximum": (
        SEQUENCES,
        {"type": "lstm", "hiddenUnits": [7], "readout": "max"},
        lambda: HandWrittenReadout(nn.LSTM, lambda outputs: outputs.max(1).values),
    ),
}


@pytest.mark.parametrize(("inputs", "fields", "by_hand"), HAND_WRITTEN.values(), ids=HAND_WRITTEN)
def test_a_network_is_the_one_that_is_written_by_hand(
    inputs: tuple[int, ...], fields: dict[str, Any], by_hand: Callable[[], nn.Module]
) -> None:
    """The same weights, outputs, gradients and running statistics to the last bit, in training and afterwards."""
    ours = network(inputs, **fields)
    torch.manual_seed(3)
    theirs = by_hand()
    given = rows(inputs)
    outputs = []
    for model in (ours, theirs):
        torch.manual_seed(5)
        trained = model(given)
        trained.square().sum().backward()
        outputs.append(
            [trained, model.eval()(given), *(weight.grad for weight in model.parameters()), *model.buffers()]
        )
    assert len(outputs[0]) == len(outputs[1])
    assert all(torch.equal(one, other) for one, other in zip(*outputs, strict=True))
    assert outputs[0][0].shape == (9, 3)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(
    ("inputs", "fields"),
    [
        (COLUMNS, {"type": "mlp", **SMALL, "batchNorm": True, "dropout": 0.5}),
        (IMAGES, {"type": "cnn", **SMALL, "batchNorm": True, "dropout": 0.5}),
        ((1, 2, 2), {"type": "cnn", **SMALL, "channels": [4], "batchNorm": True}),
        (SEQUENCES, {"type": "lstm", **SMALL, "dropout": 0.5}),
        (SEQUENCES, {"type": "gru", **SMALL, "bidirectional": True, "readout": "max"}),
        (SEQUENCES, {"type": "gru", **SMALL, "readout": "mean"}),
    ],
    ids=["mlp", "cnn", "cnn down to one pixel", "lstm", "gru, max", "gru, mean"],
)
def test_a_batch_of_few_rows_gives_every_parameter_a_gradient_and_keeps_statistics_finite(
    inputs: tuple[int, ...], fields: dict[str, Any], count: int
) -> None:
    model = network(inputs, **fields)
    outputs = model(rows(inputs, count))
    assert outputs.shape == (count, 3)
    outputs.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert count or not parameter.grad.any(), name
    assert all(buffer.isfinite().all() for buffer in model.buffers())
    assert model.eval()(rows(inputs, count)).shape == (count, 3)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("inputs", "fields"),
    [
        (COLUMNS, {"type": "mlp", "batchNorm": True}),
        (IMAGES, {"type": "cnn", "batchNorm": True}),
        (SEQUENCES, {"type": "lstm", "bidirectional": True}),
        (SEQUENCES, {"type": "gru", "readout": "max"}),
    ],
    ids=["mlp", "cnn", "lstm", "gru"],
)
def test_a_network_computes_in_every_precision(
    inputs: tuple[int, ...], fields: dict[str, Any], precision: torch.dtype
) -> None:
    model = network(inputs, **fields).eval()
    if not can_train_lstms(precision):
        keep_lstms_in_float32(model)
    for count in (0, 1, 9):
        with torch.autocast("cpu", precision):
            outputs = model(rows(inputs, count)).float()
        torch.testing.assert_close(outputs, model(rows(inputs, count)), rtol=0, atol=0.03)
        outputs.sum().backward()
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize(
    ("inputs", "kind", "count"),
    [(COLUMNS, "mlp", 0), (COLUMNS, "mlp", 1), (IMAGES, "cnn", 0)],
    ids=["mlp without rows", "mlp with one row", "cnn without images"],
)
def test_batch_norm_keeps_its_statistics_when_there_is_nothing_to_learn_them_from(
    inputs: tuple[int, ...], kind: str, count: int
) -> None:
    model = network(inputs, type=kind, **SMALL, batchNorm=True)
    model(rows(inputs))
    before = [buffer.clone() for buffer in model.buffers()]
    expected = model.eval()(rows(inputs, count))
    assert torch.equal(model.train()(rows(inputs, count)), expected)
    assert all(torch.equal(one, other) for one, other in zip(before, model.buffers(), strict=True))
    assert torch.any(before[0] != 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", lambda x: max(x, 0)),
        ("leakyRelu", lambda x: x if x > 0 else 0.01 * x),
        ("elu", lambda x: x if x > 0 else torch.tensor(x).exp().item() - 1),
        ("gelu", lambda x: x * torch.distributions.Normal(0, 1).cdf(torch.tensor(x)).item()),
        ("silu", lambda x: x / (1 + torch.tensor(-x).exp().item())),
        ("tanh", lambda x: torch.tensor(x).tanh().item()),
        ("sigmoid", lambda x: 1 / (1 + torch.tensor(-x).exp().item())),
        (
            "selu",
            lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (torch.tensor(x).exp().item() - 1)),
        ),
    ],
)
def test_an_activation_is_the_function_of_its_name(name: str, expected: Callable[[float], float]) -> None:
    layer = network(type="mlp", activation=name)[1]  # type: ignore[index]
    for value in (-1.5, -0.1, 0.0, 0.1, 2.0):
        assert layer(torch.tensor(value)).item() == pytest.approx(expected(value), abs=1e-6)


def test_a_recurrent_network_has_dropout_after_every_layer() -> None:
    whole = network(SEQUENCES, type="lstm", **SMALL, dropout=0.9)
    torch.manual_seed(1)
    assert not torch.equal(whole(rows(SEQUENCES)), whole(rows(SEQUENCES)))
    one = network(SEQUENCES, type="lstm", hiddenUnits=[7], dropout=0.9)
    assert not torch.equal(one(rows(SEQUENCES)), one(rows(SEQUENCES)))
    assert torch.equal(one.eval()(rows(SEQUENCES)), one(rows(SEQUENCES)))


@pytest.mark.parametrize(
    ("inputs", "fields", "message"),
    [
        (
            (1, 8, 8),
            {"type": "cnn", "channels": [4, 4, 4, 4]},
            "training.model.channels: the pooling after convolution 4 halves images, and they are only 1 x 1 there. "
            "Use at most 3 convolutions, or pooling: none",
        ),
        ((1, 28, 3), {"type": "cnn"}, "after convolution 2 halves images, and they are only 14 x 1 there"),
        ((64,), {"type": "cnn"}, r"training.model.type: cnn needs images; a row of the data has the shape \[64\]"),
        ((64,), {"type": "gru"}, r"training.model.type: gru needs sequences; a row of the data has the shape \[64\]"),
    ],
    ids=["too many poolings", "a narrow image", "a cnn over columns", "a gru over columns"],
)
def test_a_network_that_cannot_be_says_why(inputs: tuple[int, ...], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        network(inputs, **fields)


@pytest.mark.parametrize(
    ("inputs", "fields", "expected", "widest"),
    [
        (COLUMNS, {"type": "mlp", **SMALL}, 10 * 7 + 7 * 6 + 6 * 3, 10),
        (
            (1, 8, 8),
            {"type": "cnn", "hiddenUnits": [7], "channels": [2, 3], "batchNorm": True},
            64 * 9 * 2 + 16 * 9 * 2 * 3 + 12 * 7 + 7 * 3,
            2 * 64,
        ),
        (SEQUENCES, {"type": "lstm", **SMALL}, 5 * (4 * 7 * (4 + 7) + 4 * 6 * (7 + 6)) + 6 * 3, 5 * 7),
        (
            SEQUENCES,
            {"type": "gru", "hiddenUnits": [7], "bidirectional": True},
            5 * 2 * 3 * 7 * (4 + 7) + 14 * 3,
            5 * 14,
        ),
    ],
    ids=["mlp", "cnn", "lstm", "gru"],
)
def test_work_is_every_weight_times_where_it_is_used(
    inputs: tuple[int, ...], fields: dict[str, Any], expected: int, widest: int
) -> None:
    model = network(inputs, **fields, dropout=0.5)
    chance = torch.get_rng_state()
    before = [buffer.clone() for buffer in model.buffers()]
    assert effort_of(model, torch.zeros(1, math.prod(inputs))) == Effort(expected, widest)
    assert model.training
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(torch.equal(one, other) for one, other in zip(before, model.buffers(), strict=True))
