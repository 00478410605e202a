"""One step of the learner against the same step written out with autograd and PyTorch's own optimizer."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from support.trainer import Path, recipe
from trainer.data.batches import Batch
from trainer.distributed import World
from trainer.errors import NonFinite
from trainer.learning.learner import Learner
from trainer.learning.optimizers import build_optimizer
from trainer.learning.paces import Pace
from trainingjob_api.spec.training import Training

ALONE = World(0, 1, torch.device("cpu"))
RATE = 0.1
PACE = Pace(RATE)
PRECISIONS = ["float32", "bfloat16", "float16"]


class Sum:
    """Squared errors: what a learner needs of an objective, and nothing of data."""

    outputs, train_sums, evaluation_sums, curves = 1, 1, 1, 0

    @staticmethod
    def loss_sum(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs.squeeze(1), targets, reduction="sum")

    @staticmethod
    def tally(outputs: Tensor, targets: Tensor, loss_sum: Tensor) -> Tensor:
        return loss_sum.double().reshape(1)

    @classmethod
    def evaluate(cls, outputs: Tensor, targets: Tensor) -> Tensor:
        return cls.tally(outputs, targets, cls.loss_sum(outputs, targets))

    train_measures = evaluation_measures = None


def network(seed: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))


def learner(model: nn.Module | None = None, optimizer: dict[str, Any] | None = None, **changes: Any) -> Learner:
    plain = {"type": "sgd", "learningRate": 7}  # each step brings its own
    fields = recipe(Path("/t.csv"), task="regression", optimizer=optimizer or plain, schedule=None, **changes)
    training, model = Training.model_validate(fields), model or network()
    return Learner(training, ALONE, model, build_optimizer(training.optimizer, model.parameters()), Sum())  # type: ignore[arg-type]


def batch(size: int = 21, part_size: int = 100, seed: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(size, 6, generator=generator)
    return Batch(features, features.sum(1) + 1, size, part_size)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def written_out(penalty: Callable[[nn.Module], Tensor] | None = None, clip: float | None = None) -> Tensor:
    """The weights after one plain step of SGD on the mean loss of the batch."""
    model, rows = network(), batch()
    loss = nn.functional.mse_loss(model(rows.features).squeeze(1), rows.targets)
    (loss + penalty(model) if penalty else loss).backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    torch.optim.SGD(model.parameters(), lr=RATE).step()
    return weights(model)


def layers(model: nn.Module) -> list[nn.Parameter]:
    return [model[0].weight, model[2].weight]  # type: ignore[index]


def l1(model: nn.Module) -> Tensor:
    return torch.stack([weight.abs().sum() for weight in layers(model)]).sum()


def l2(model: nn.Module) -> Tensor:
    return torch.stack([weight.square().sum() for weight in layers(model)]).sum()


@pytest.mark.parametrize(
    ("changes", "penalty", "clip"),
    [
        pytest.param({}, None, None, id="the mean loss of the batch"),
        pytest.param({"regularization": {"l1": 0.03}}, lambda m: 0.03 * l1(m), None, id="l1"),
        pytest.param({"regularization": {"l2": 0.2}}, lambda m: 0.2 * l2(m), None, id="l2"),
        pytest.param(
            {"regularization": {"l1": 0.03, "l2": 0.2}}, lambda m: 0.03 * l1(m) + 0.2 * l2(m), None, id="both"
        ),
        pytest.param({"gradient": {"clipNorm": 0.5}}, None, 0.5, id="a gradient that is clipped"),
        pytest.param({"gradient": {"clipNorm": 1000}}, None, None, id="a gradient that is short enough"),
        pytest.param(
            {"gradient": {"clipNorm": 0.5}, "regularization": {"l2": 2}}, lambda m: 2 * l2(m), 0.5, id="penalty first"
        ),
    ],
)
@pytest.mark.parametrize("part_size", [21, 10, 1], ids=["at once", "in three parts", "row by row"])
def test_a_step_is_the_one_that_is_written_out(
    changes: dict[str, Any], penalty: Callable[[nn.Module], Tensor] | None, clip: float | None, part_size: int
) -> None:
    found, together = learner(**changes), []
    found.model.register_forward_pre_hook(lambda _, inputs: together.append(len(inputs[0])))
    _, loss_sum = found.step(batch(part_size=part_size), PACE)
    assert together == [min(part_size, 21 - done) for done in range(0, 21, part_size)]
    torch.testing.assert_close(weights(found.model), written_out(penalty, clip), rtol=1e-5, atol=1e-6)
    assert (weights(found.model) - weights(network())).abs().max() > 0.005
    rows = batch()
    expected = nn.functional.mse_loss(network()(rows.features).squeeze(1), rows.targets, reduction="sum")
    assert loss_sum.item() == pytest.approx(expected.item(), rel=1e-5), "the reported loss has no penalty in it"


def test_the_gradient_norm_is_that_before_clipping() -> None:
    clipped = learner(gradient={"clipNorm": 0.5})
    clipped.step(batch(), PACE)
    model, rows = network(), batch()
    nn.functional.mse_loss(model(rows.features).squeeze(1), rows.targets).backward()  # type: ignore[no-untyped-call]
    assert clipped.gradient_norm == pytest.approx(float(nn.utils.get_total_norm([p.grad for p in model.parameters()])))  # type: ignore[misc]
    assert clipped.gradient_norm > 0.5


def test_float16_clips_what_is_not_scaled() -> None:
    found = learner(precision="float16", gradient={"clipNorm": 0.5})
    for _ in range(5):  # the first overflow
        found.step(batch(), PACE)
    before = weights(found.model)
    found.step(batch(), PACE)
    assert 0.5 < found.gradient_norm < 50
    assert (weights(found.model) - before).norm().item() == pytest.approx(RATE * 0.5, rel=1e-3)


def test_layers_that_are_frozen_or_not_used_stay_as_they_are() -> None:
    model = network()
    model[0].requires_grad_(False)
    model[2].register_module("unused", nn.Linear(2, 2))
    before = weights(model[0]), weights(model[2].unused)
    learner(model, gradient={"clipNorm": 0.5}, regularization={"l1": 0.1, "l2": 0.1}).step(batch(), PACE)
    assert all(torch.equal(*pair) for pair in zip((weights(model[0]), weights(model[2].unused)), before, strict=True))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_learns_and_keeps_weights_in_float32(precision: str) -> None:
    found = learner(precision=precision, optimizer={"type": "adamw", "learningRate": 0.01})
    rows = batch(64)
    losses = [found.step(rows, Pace(0.01))[1].item() for _ in range(60)]
    assert found.step(rows, Pace(0.01))[0].dtype is torch.float32
    assert losses[-1] < losses[0] / 3
    assert {parameter.dtype for parameter in found.model.parameters()} == {torch.float32}
    moments = [value for name, value in found.state_tensors().items() if "exp_avg" in name]
    assert {value.dtype for value in moments} == {torch.float32}
    exact = learner(optimizer={"type": "adamw", "learningRate": 0.01})
    exact.step(rows, Pace(0.01))
    other = learner(precision=precision, optimizer={"type": "adamw", "learningRate": 0.01})
    other.step(rows, Pace(0.01))
    assert torch.equal(weights(exact.model), weights(other.model)) == (precision == "float32"), "it makes a difference"


class Steep(nn.Module):
    """A finite output whose gradient, scaled up for float16, is too large for a float32."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1))
        self.slope = slope

    def forward(self, features: Tensor) -> Tensor:
        return (self.weight - 1) * self.slope * features[:, :1]


SGD_WITH_MOMENTUM = {"type": "sgd", "momentum": 0.9, "learningRate": RATE}


@pytest.mark.parametrize(
    "optimizer",
    [{"type": "adamw"}, {"type": "sgd"}, SGD_WITH_MOMENTUM, {"type": "adagrad"}, {"type": "rmsprop", "momentum": 0.5}],
    ids=lambda fields: str(fields["type"]) + (" with momentum" if "momentum" in fields else ""),
)
def test_float16_skips_a_step_that_overflows_and_scales_less(optimizer: dict[str, Any]) -> None:
    found = learner(Steep(1e35), optimizer=optimizer, precision="float16")
    found.step(batch(), PACE)
    assert weights(found.model).item() == 1.0
    assert found.state_tensors()["scaler.scale"].item() == 2.0**15
    found.check_finite()
    state = {name: value for name, value in found.state_tensors().items() if name.endswith("buffer")}
    assert all(value.abs().max() == 0 for value in state.values()), "nothing of the overflow stays in the momentum"


class Corner(Steep):
    """A gradient that is no number, although the output is one."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features).abs().sqrt()


@pytest.mark.parametrize("model", [Steep, Corner])
def test_float16_gives_up_when_nothing_helps(model: type[Steep]) -> None:
    found = learner(model(3e38), precision="float16")
    with pytest.raises(NonFinite):
        _ = [found.step(batch(), PACE) for _ in range(40)]


def test_the_scale_of_float16_is_saved_and_comes_back() -> None:
    first = learner(precision="float16")
    for _ in range(5):  # the first overflow
        first.step(batch(), PACE)
    assert first.state_tensors()["scaler.growth_tracker"].item() > 0
    overflowing = learner(Steep(1e35), precision="float16")
    overflowing.step(batch(), PACE)
    for saved in (first, overflowing):
        for steps in (0, 1):
            other = learner(precision="float16")
            for _ in range(steps):
                other.step(batch(), PACE)
            scaler = {name: value for name, value in saved.state_tensors().items() if name.startswith("scaler")}
            other.load_state_tensors({**other.state_tensors(), **scaler})
            assert {n: v.item() for n, v in other.state_tensors().items() if n.startswith("scaler")} == {
                n: v.item() for n, v in scaler.items()
            }


@pytest.mark.parametrize(("then", "now"), [("float16", "float32"), ("float32", "float16"), ("float16", "bfloat16")])
def test_the_precision_can_change_in_a_pause(then: str, now: str) -> None:
    before, after = learner(precision=then), learner(precision=now)
    before.step(batch(), PACE)
    after.load_state_tensors(before.state_tensors())
    after.step(batch(), PACE)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e19], ids=["NaN", "infinite", "infinite when squared"])
@pytest.mark.parametrize("part_size", [21, 4], ids=["at once", "in parts"])
def test_a_loss_that_is_no_number_ends_the_first_step_before_the_weights_move(
    precision: str, value: float, part_size: int
) -> None:
    found, rows = learner(precision=precision), batch(part_size=part_size)
    rows.features[3, 2] = value
    rows.targets[3] = value
    with pytest.raises(NonFinite, match="learningRate"):
        found.step(rows, PACE)
    assert torch.equal(weights(found.model), weights(network()))


@pytest.mark.parametrize("changes", [{}, {"gradient": {"clipNorm": 1}}], ids=["", "clipped"])
def test_a_gradient_that_is_no_number_is_noticed_before_a_save_although_the_loss_is_one(
    changes: dict[str, Any],
) -> None:
    found = learner(Steep(3e38), **changes)
    found.check_finite()
    found.step(batch(), PACE)
    with pytest.raises(NonFinite):
        found.check_finite()


def test_a_gradient_that_is_no_number_is_noticed_in_the_next_step_at_the_latest() -> None:
    found = learner(Steep(3e38))
    found.step(batch(), PACE)
    with pytest.raises(NonFinite):
        found.step(batch(), PACE)


def test_measuring_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    found = learner(model)
    before, chance = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    model.eval()
    rows = batch()
    assert torch.equal(found.outputs(rows.features), found.outputs(rows.features))
    assert not found.outputs(rows.features).requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(parameter.grad is None for parameter in model.parameters())
