"""Losses are what their definitions say, in float64 with NumPy; their gradients stay finite."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from support.trainer import Path, recipe
from trainer.data.dataset import DataFacts
from trainer.data.scaling import Scaling
from trainer.errors import UserError
from trainer.learning.losses import class_weights, focal, loss_sum
from trainer.learning.objectives import objective_for
from trainingjob_api.spec.training import Loss, Training

ROWS, CLASSES = 13, 4
Floats = NDArray[np.float64]
CHANCE = np.random.default_rng(1)
LOGITS = CHANCE.normal(0, 3, (ROWS, CLASSES))
LABELS = CHANCE.integers(0, CLASSES, ROWS)
VALUES, TARGETS = CHANCE.normal(0, 2, (ROWS, 1)), CHANCE.normal(0, 2, ROWS)


def log_softmax(logits: Floats) -> Floats:
    return np.asarray(logits - logits.max(1, keepdims=True)) - np.log(
        np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)
    )


def cross_entropy(smoothing: float) -> float:
    wanted = np.full((ROWS, CLASSES), smoothing / CLASSES)
    wanted[np.arange(ROWS), LABELS] += 1 - smoothing
    return float(-(wanted * log_softmax(LOGITS)).sum())


def multi_margin(margin: float) -> float:
    """Mean over the classes, as PyTorch has it."""
    right = LOGITS[np.arange(ROWS), LABELS][:, None]
    short = np.maximum(0, margin - right + LOGITS)
    short[np.arange(ROWS), LABELS] = 0
    return float(short.sum() / CLASSES)


def focal_by_definition(gamma: float, alpha: float | None = None) -> float:
    log_p = log_softmax(LOGITS)[np.arange(ROWS), LABELS]
    weights = np.ones(ROWS) if alpha is None else np.where(LABELS == 0, 1 - alpha, alpha)
    return float((-weights * (1 - np.exp(log_p)) ** gamma * log_p).sum())


def huber(delta: float) -> float:
    errors = np.abs(VALUES[:, 0] - TARGETS)
    return float(np.where(errors <= delta, errors**2 / 2, delta * (errors - delta / 2)).sum())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"type": "crossEntropy"}, cross_entropy(0), id="cross entropy"),
        pytest.param({"type": "crossEntropy", "labelSmoothing": 0.2}, cross_entropy(0.2), id="smoothed labels"),
        pytest.param({"type": "multiMargin"}, multi_margin(1.0), id="multi margin"),
        pytest.param({"type": "multiMargin", "margin": 2.5}, multi_margin(2.5), id="a wider margin"),
        pytest.param({"type": "multiMargin", "margin": 0}, multi_margin(0.0), id="no margin"),
        pytest.param({"type": "focal"}, focal_by_definition(2.0), id="focal with a gamma of 2"),
        pytest.param({"type": "focal", "gamma": 0}, cross_entropy(0), id="focal without focus is cross entropy"),
        pytest.param({"type": "focal", "gamma": 0.5}, focal_by_definition(0.5), id="focal with a root"),
        pytest.param(
            {"type": "focal", "gamma": 3, "alpha": 0.25}, focal_by_definition(3, 0.25), id="focal, weighted as by 0.1"
        ),
        pytest.param(
            {"type": "focal", "alphas": [0.75, *[0.25] * (CLASSES - 1)]}, focal_by_definition(2, 0.25),
            id="focal, weighted by class",
        ),
    ],
)  # fmt: skip
def test_losses_of_classification(fields: dict[str, Any], expected: float) -> None:
    spec = Loss.model_validate(fields)
    loss = loss_sum(spec, class_weights(spec, range(CLASSES), by_alpha=True))
    found = loss(torch.tensor(LOGITS, dtype=torch.float32), torch.tensor(LABELS))
    assert found.dtype is torch.float32
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "expected", "power"),
    [
        pytest.param({"type": "mse"}, float(((VALUES[:, 0] - TARGETS) ** 2).sum()), 2, id="mse"),
        pytest.param({"type": "mae"}, float(np.abs(VALUES[:, 0] - TARGETS).sum()), 1, id="mae"),
        pytest.param({"type": "huber"}, huber(1.0), 2, id="huber"),
        pytest.param({"type": "huber", "delta": 0.3}, huber(0.3), 2, id="huber, a line from 0.3 on"),
    ],
)
def test_losses_of_regression_and_their_units(fields: dict[str, Any], expected: float, power: int) -> None:
    """Targets are trained in standard deviations (here of 10 around 100) and reported in their own units."""
    unscaled, scaling = Scaling(np.zeros(1), np.ones(1)), Scaling(np.float64(100), np.float64(10))  # type: ignore[arg-type]
    facts = DataFacts(features=("a",), shape=(1,), target="y", scaling=unscaled, target_scaling=scaling)
    training = recipe(Path("/t.csv"), task="regression", loss=fields)
    objective = objective_for(Training.model_validate(training), facts)
    outputs, targets = torch.tensor(VALUES, dtype=torch.float32), torch.tensor(TARGETS, dtype=torch.float32)
    loss = objective.loss_sum
    assert loss(outputs, targets).item() == pytest.approx(expected, rel=1e-5)
    sums = objective.tally(outputs, targets, loss(outputs, targets))
    assert objective.train_measures(sums, ROWS).loss == pytest.approx(expected / ROWS * 10**power, rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "labels", "words"),
    [
        pytest.param({"alpha": 0.25}, "abc", ["alpha is for two classes, the data has 3", "a, b, c"], id="alpha"),
        pytest.param({"alphas": [1, 2]}, "abc", ["2 weights, the data has 3 classes", "a, b, c"], id="too few"),
        pytest.param({"alphas": [1, 2, 3]}, "ab", ["3 weights, the data has 2 classes"], id="too many"),
    ],
)
def test_weights_that_do_not_fit_the_classes_are_refused(fields: dict[str, Any], labels: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        class_weights(Loss.model_validate({"type": "focal", **fields}), labels, by_alpha=False)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_alpha_of_two_classes_is_the_seconds() -> None:
    assert class_weights(Loss(type="focal", alpha=0.3), ("no", "yes"), by_alpha=False) == (0.7, 0.3)
    assert class_weights(Loss(type="focal"), "abc", by_alpha=False) is None


ALL = [
    {"type": "crossEntropy", "labelSmoothing": 0.1},
    {"type": "multiMargin"},
    {"type": "focal"},
    {"type": "mse"},
    {"type": "mae"},
    {"type": "huber"},
]


@pytest.mark.parametrize("fields", ALL, ids=lambda fields: str(fields["type"]))
@pytest.mark.parametrize("rows", [0, 1])
def test_a_rank_without_rows_has_a_loss_of_zero_and_a_gradient_of_zero(fields: dict[str, Any], rows: int) -> None:
    classes = fields["type"] in ("crossEntropy", "multiMargin", "focal")
    outputs = torch.zeros(rows, CLASSES if classes else 1, requires_grad=True)
    targets = torch.ones(rows, dtype=torch.int64 if classes else torch.float32)
    found = loss_sum(Loss.model_validate(fields))(outputs, targets)
    found.backward()  # type: ignore[no-untyped-call]
    assert found.shape == ()
    assert (found.item() == 0) == (rows == 0)
    assert outputs.grad is not None
    assert bool(outputs.grad.isfinite().all())


@pytest.mark.parametrize("gamma", [0.0, 1e-6, 0.5, 1.0, 1.5, 2.0, 5.0])
@pytest.mark.parametrize("logit", [0.0, 8.0, 17.0, 30.0, 110.0, 1e4])
def test_the_gradient_of_focal_is_finite_for_what_is_certain(gamma: float, logit: float) -> None:
    for label in (0, 1):
        outputs = torch.tensor([[logit, 0.0]], requires_grad=True)
        found = focal(outputs, torch.tensor([label]), gamma)
        found.backward()  # type: ignore[no-untyped-call]
        assert outputs.grad is not None
        assert bool(found.isfinite())
        assert bool(outputs.grad.isfinite().all())


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_gradient_of_focal_is_that_of_its_definition(gamma: float) -> None:
    outputs = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(LABELS)
    assert torch.autograd.gradcheck(lambda values: focal(values, targets, gamma), outputs)
