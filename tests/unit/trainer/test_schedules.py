"""Rates are those of PyTorch's schedulers, step by step, with warm-up and stages in front of any of them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedules

from support.trainer import Path, recipe
from trainer.learning.exactness import RULES
from trainer.learning.paces import Pace, Paces
from trainer.learning.plan import Moment, plan_for
from trainer.learning.plateau import Plateau
from trainer.learning.schedules import rate_schedule, warmup_epochs
from trainingjob_api.spec.training import Schedule, Training

BASE = 0.5
EPOCHS = 12
Scheduler = Callable[[torch.optim.Optimizer, int], torch_schedules.LRScheduler]
"""(optimizer, steps per epoch) -> PyTorch's own."""


def training(**changes: object) -> Training:
    plain = {"optimizer": {"type": "sgd", "learningRate": BASE}, "schedule": None, "epochs": EPOCHS, "batchSize": 10}
    return Training.model_validate(recipe(Path("/t.csv"), **{**plain, **changes}))


def paces(recipe: Training, rows: int, rules: int = RULES) -> list[Pace]:
    """Of all steps, one after the other."""
    plan = plan_for(recipe, rows)
    found = Paces(recipe, plan, rules)
    return [pace for epoch in range(plan.epochs) for pace in found.of_epoch(epoch, 0, Plateau())]


def rates(recipe: Training, rows: int) -> list[float]:
    return [pace.rate for pace in paces(recipe, rows)]


def torchs(scheduler: Scheduler, per_epoch: int, epochs: int, every_step: bool, base: float = BASE) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    schedule, found = scheduler(optimizer, per_epoch), []
    optimizer.step()  # or PyTorch warns of a wrong order
    for step in range(1, epochs * per_epoch + 1):
        found.append(float(optimizer.param_groups[0]["lr"]))
        if (every_step or step % per_epoch == 0) and step < epochs * per_epoch:
            schedule.step()
    return found


def cyclic(mode: str, gamma: float = 1.0) -> Scheduler:
    return lambda optimizer, _: torch_schedules.CyclicLR(
        optimizer, 0.1, 0.9, step_size_up=7, mode=mode, gamma=gamma, cycle_momentum=False
    )


CYCLIC = {"type": "cyclic", "minimum": 0.1, "maximum": 0.9, "stepsUp": 7}
SHAPES: list[tuple[str, dict[str, Any], Scheduler, bool]] = [
    (
        "step: every few epochs",
        {"type": "step", "stepSize": 3, "gamma": 0.3},
        lambda optimizer, _: torch_schedules.StepLR(optimizer, 3, 0.3),
        False,
    ),
    (
        "step: a tenth, if nothing is said",
        {"type": "step", "stepSize": 2},
        lambda optimizer, _: torch_schedules.StepLR(optimizer, 2),
        False,
    ),
    (
        "exponential: every epoch",
        {"type": "exponential", "gamma": 0.8},
        lambda optimizer, _: torch_schedules.ExponentialLR(optimizer, 0.8),
        False,
    ),
    (
        "exponential: by a twentieth, if nothing is said",
        {"type": "exponential"},
        lambda optimizer, _: torch_schedules.ExponentialLR(optimizer, 0.95),
        False,
    ),
    (
        "cosine: down to a minimum, every step",
        {"type": "cosine", "tMax": EPOCHS, "minimum": 0.05},
        lambda optimizer, steps: torch_schedules.CosineAnnealingLR(optimizer, EPOCHS * steps, 0.05),
        True,
    ),
    (
        "linear: to a share, every step, then on",
        {"type": "linear", "endFactor": 0.2, "totalEpochs": 5},
        lambda optimizer, steps: torch_schedules.LinearLR(optimizer, 1.0, 0.2, 5 * steps),
        True,
    ),
    (
        "linear: to nothing, if nothing is said",
        {"type": "linear", "totalEpochs": 5},
        lambda optimizer, steps: torch_schedules.LinearLR(optimizer, 1.0, 0.0, 5 * steps),
        True,
    ),
    ("cyclic: up and down", CYCLIC, cyclic("triangular"), True),
    (
        "cyclic: half the swing every cycle",
        {**CYCLIC, "mode": "triangular2"},
        cyclic("triangular2"),
        True,
    ),
    (
        "cyclic: a smaller swing every step",
        {**CYCLIC, "mode": "expRange", "gamma": 0.97},
        cyclic("exp_range", 0.97),
        True,
    ),
    ("cyclic: no smaller swing, if nothing is said", {**CYCLIC, "mode": "expRange"}, cyclic("exp_range"), True),
]

ROWS = [
    pytest.param(60, {}, 6, id="whole batches"),
    pytest.param(61, {}, 7, id="odd last batch"),
    pytest.param(61, {"gradient": {"accumulate": 3}}, 3, id="accumulated, odd last step"),
    pytest.param(7, {}, 1, id="one step an epoch"),
]


@pytest.mark.parametrize(("rows", "changes", "per_epoch"), ROWS)
@pytest.mark.parametrize(("schedule", "scheduler", "every_step"), [pytest.param(*row[1:], id=row[0]) for row in SHAPES])
def test_rates_are_pytorchs(
    schedule: dict[str, Any], scheduler: Scheduler, every_step: bool, rows: int, changes: dict[str, Any], per_epoch: int
) -> None:
    found = rates(training(schedule=schedule, **changes), rows)
    assert found == pytest.approx(torchs(scheduler, per_epoch, EPOCHS, every_step), rel=1e-9)
    assert len(set(found)) > 1


@pytest.mark.parametrize(("rows", "changes", "per_epoch"), ROWS)
@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        pytest.param({}, {}, id="as PyTorch does by default"),
        pytest.param(
            {"maximum": 2.0, "riseFraction": 0.45, "startDivisor": 8, "endDivisor": 100},
            {"max_lr": 2.0, "pct_start": 0.45, "div_factor": 8, "final_div_factor": 100},
            id="all of its own",
        ),
    ],
)
def test_one_cycle_is_pytorchs(
    fields: dict[str, float], arguments: dict[str, float], rows: int, changes: dict[str, Any], per_epoch: int
) -> None:
    found = rates(training(schedule={"type": "oneCycle", **fields}, **changes), rows)

    def scheduler(optimizer: torch.optim.Optimizer, steps: int) -> torch_schedules.LRScheduler:
        chosen = {"max_lr": BASE, **arguments}
        return torch_schedules.OneCycleLR(optimizer, total_steps=EPOCHS * steps, cycle_momentum=False, **chosen)  # type: ignore[arg-type]

    assert found == pytest.approx(torchs(scheduler, per_epoch, EPOCHS, every_step=True), rel=1e-9)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_a_very_short_one_cycle_has_a_rate_for_every_step(epochs: int) -> None:
    found = rates(training(schedule={"type": "oneCycle", "riseFraction": 0.5}, epochs=epochs, batchSize="all"), 60)
    assert len(found) == epochs
    assert all(0 < rate <= BASE for rate in found)


@pytest.mark.parametrize(
    "schedule",
    [pytest.param(row[1], id=row[0]) for row in SHAPES]
    + [pytest.param({"type": name}, id=name) for name in ("constant", "oneCycle", "plateau", "cosine", "linear")],
)
@pytest.mark.parametrize("rows", [60, 61])
def test_a_warm_up_rises_step_by_step_to_what_the_schedule_begins_with(schedule: dict[str, Any], rows: int) -> None:
    """After it comes the schedule of a training that is so much shorter, from its beginning."""
    warmup = {"epochs": 3, "startFactor": 0.2}
    found = rates(training(schedule={**schedule, "warmup": warmup}), rows)
    without = rates(training(schedule=schedule, epochs=EPOCHS - 3), rows)
    warm = len(found) - len(without)
    assert warm == 3 * -(-rows // 10)

    def linear(optimizer: torch.optim.Optimizer, steps: int) -> torch_schedules.LRScheduler:
        return torch_schedules.LinearLR(optimizer, 0.2, 1.0, warm)

    assert found[:warm] == pytest.approx(torchs(linear, warm, 1, every_step=True, base=without[0]), rel=1e-9)
    assert found[warm:] == pytest.approx(without, rel=1e-9)


@pytest.mark.parametrize(("epochs", "warm"), [(1, 0), (9, 0), (10, 1), (45, 4), (199, 19), (200, 20), (2000, 20)])
def test_an_automatic_warm_up_is_a_tenth_of_the_epochs_and_twenty_at_most(epochs: int, warm: int) -> None:
    recipe = training(schedule={"type": "constant", "warmup": {"epochs": "auto"}}, epochs=epochs)
    plan = plan_for(recipe, 7)
    assert warmup_epochs(recipe, plan) == warm
    found = rates(recipe, 7)
    assert found[warm:] == [BASE] * (epochs - warm)
    assert found[:warm] == sorted(found[:warm])
    assert all(rate < BASE for rate in found[:warm])


def test_a_warm_up_leaves_the_schedule_at_least_one_epoch_of_a_small_budget() -> None:
    schedule = {"type": "cosine", "warmup": {"epochs": 50, "startFactor": 0.5}}
    found = rates(training(schedule=schedule, epochs=None, budget={"steps": 3}, batchSize="all"), 60)
    assert found == pytest.approx([0.25, 0.375, 0.5])


def test_a_stage_multiplies_every_rate_of_the_schedule() -> None:
    stages = [
        {"epochs": 4, "batchSize": 10},
        {"epochs": 3, "batchSize": 20, "learningRateFactor": 2.0},
        {"epochs": 5, "batchSize": 60, "learningRateFactor": 0.5},
    ]
    staged = {"epochs": None, "batchSize": None, "stages": stages}
    cosine = {"type": "cosine", "warmup": {"epochs": 2}}
    found, plan = rates(training(schedule=cosine, **staged), 61), plan_for(training(**staged), 61)
    same = [{**stage, "learningRateFactor": 1.0} for stage in stages]
    plain = rates(training(schedule=cosine, **{**staged, "stages": same}), 61)
    factors = [plan.stage_at(epoch).rate_factor for epoch in range(plan.epochs) for _ in plan.moments(epoch)]
    assert factors == [1.0] * 28 + [2.0] * 12 + [0.5] * 10
    assert found == pytest.approx([rate * factor for rate, factor in zip(plain, factors, strict=True)])


def test_one_cycle_over_stages_counts_steps_not_epochs() -> None:
    stages = [{"epochs": 2, "batchSize": 10}, {"epochs": 2, "batchSize": 30}]
    found = rates(training(schedule={"type": "oneCycle"}, epochs=None, batchSize=None, stages=stages), 60)

    def scheduler(optimizer: torch.optim.Optimizer, steps: int) -> torch_schedules.LRScheduler:
        return torch_schedules.OneCycleLR(optimizer, BASE, total_steps=16, cycle_momentum=False)

    assert found == pytest.approx(torchs(scheduler, 16, 1, every_step=True), rel=1e-9)


VALUES = [3.0, 2.0, 2.0, 2.1, 1.99999, 2.2, 1.5, 1.6, 1.7, 1.8, 1.9, 1.4, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [0, 1, 2, 3])
@pytest.mark.parametrize("minimum", [0.0, 0.1])
def test_a_plateau_is_pytorchs(mode: Any, patience: int, minimum: float) -> None:
    values = VALUES if mode == "min" else [4 - value for value in VALUES]
    schedule = Schedule.model_validate({"type": "plateau", "factor": 0.5, "patience": patience, "minimum": minimum})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    torchs = torch_schedules.ReduceLROnPlateau(optimizer, mode, 0.5, patience, min_lr=minimum, eps=0)
    plateau, found, expected = Plateau(), [], []
    for value in values:
        plateau = plateau.after(value, mode, schedule)
        torchs.step(value)
        found.append(plateau.rate(BASE, schedule))
        expected.append(optimizer.param_groups[0]["lr"])
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[-1] < BASE


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_a_plateau_waits_ten_epochs_for_what_is_better_than_a_value_that_is_not_above_zero(
    mode: Any, value: float
) -> None:
    plateau, schedule = Plateau(), Schedule.model_validate({"type": "plateau"})
    reductions = []
    for _ in range(12):
        plateau = plateau.after(value, mode, schedule)
        reductions.append(plateau.reductions)
    assert reductions == [0] * 11 + [1]


def test_a_plateau_never_raises_a_rate_that_is_planned_below_its_minimum() -> None:
    schedule = Schedule.model_validate({"type": "plateau", "minimum": 0.1})
    reduced = Plateau(reductions=3)
    assert reduced.rate(0.01, schedule) == 0.01  # such as in a stage with a small factor
    assert reduced.rate(1.0, schedule) == 0.125
    assert reduced.rate(0.4, schedule) == 0.1


@pytest.mark.parametrize("type_", ["cosine", "constant", None])
def test_reductions_of_a_plateau_do_not_outlive_a_change_of_the_schedule(type_: str | None) -> None:
    schedule = Schedule.model_validate({"type": type_}) if type_ else None
    assert Plateau(reductions=3).rate(1.0, schedule) == 1.0


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "expRange"])
def test_a_cycle_may_come_back_thousands_of_times(mode: str) -> None:
    schedule = {"type": "cyclic", "minimum": 0.001, "maximum": 0.1, "stepsUp": 1, "gamma": 0.9, "mode": mode}
    recipe = training(schedule=schedule, epochs=2000)
    rate = rate_schedule(recipe, plan_for(recipe, 64))
    assert all(0.001 <= rate(Moment(0.0, step)) <= 0.1 for step in range(8000))


def test_more_epochs_go_on_where_the_fewer_ended() -> None:
    fixed = {"type": "cosine", "tMax": 6, "minimum": 0.1}
    few, many = rates(training(schedule=fixed, epochs=6), 61), rates(training(schedule=fixed, epochs=9), 61)
    assert many[: len(few)] == few
    assert set(many[len(few) :]) == {0.1}


def test_the_rate_of_an_epoch_is_that_of_its_last_step() -> None:
    for changes in ({}, {"gradient": {"accumulate": 3}}, {"batchSize": "all"}):
        recipe = training(schedule={"type": "linear"}, **changes)
        plan = plan_for(recipe, 61)
        found = Paces(recipe, plan, RULES)
        for epoch in range(plan.epochs):
            assert found.last_of(epoch, Plateau()) == list(found.of_epoch(epoch, 0, Plateau()))[-1]


def momenta(scheduler: Scheduler, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    """PyTorch's own, step by step."""
    schedule, found = scheduler(optimizer, steps), []
    optimizer.step()
    for step in range(steps):
        (group,) = optimizer.param_groups
        found.append(float(group["betas"][0] if "betas" in group else group["momentum"]))
        if step < steps - 1:
            schedule.step()
    return found


SWINGS: list[tuple[str, dict[str, Any], Scheduler]] = [
    (
        "one cycle",
        {"type": "oneCycle", "maximum": 2},
        lambda optimizer, steps: torch_schedules.OneCycleLR(optimizer, 2, steps),
    ),
    (
        "one cycle with momenta of its own",
        {"type": "oneCycle", "riseFraction": 0.5, "minimumMomentum": 0.5, "maximumMomentum": 0.9},
        lambda optimizer, steps: torch_schedules.OneCycleLR(
            optimizer, BASE, steps, pct_start=0.5, base_momentum=0.5, max_momentum=0.9
        ),
    ),
    *[
        (
            f"cyclic: {mode}",
            {**CYCLIC, "mode": mode, **({"gamma": 0.97} if mode == "expRange" else {})},
            lambda optimizer, _, mode=mode: torch_schedules.CyclicLR(
                optimizer, 0.1, 0.9, step_size_up=7, mode=mode.replace("R", "_r"), gamma=0.97
            ),
        )
        for mode in ("triangular", "triangular2", "expRange")
    ],
]


@pytest.mark.parametrize(("schedule", "scheduler"), [pytest.param(*row[1:], id=row[0]) for row in SWINGS])
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_the_momentum_goes_the_other_way_as_pytorchs_does(
    schedule: dict[str, Any], scheduler: Scheduler, kind: str
) -> None:
    recipe = training(schedule=schedule, optimizer={"type": kind, "learningRate": BASE})
    weights = [torch.nn.Parameter(torch.zeros(1))]
    theirs = torch.optim.SGD(weights, lr=BASE) if kind == "sgd" else torch.optim.AdamW(weights, lr=BASE)
    found = [pace.momentum for pace in paces(recipe, 61)]
    assert found == pytest.approx(momenta(scheduler, theirs, EPOCHS * 7), abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "rules", "expected"),
    [
        pytest.param({}, RULES, 0.95, id="at the beginning, where the rate is lowest"),
        pytest.param({"schedule": {"type": "oneCycle", "cycleMomentum": False}}, RULES, None, id="not wanted"),
        pytest.param({}, 1, None, id="a training of version 0.1"),
        pytest.param({"optimizer": {"type": "adagrad", "learningRate": BASE}}, RULES, None, id="adagrad has none"),
        pytest.param({"schedule": {"type": "cosine"}}, RULES, None, id="another schedule"),
        pytest.param(
            {"schedule": {"type": "oneCycle", "warmup": {"epochs": 3}}}, RULES, 0.95, id="the same in the warm-up"
        ),
    ],
)
def test_whether_the_momentum_changes(changes: dict[str, Any], rules: int, expected: float | None) -> None:
    found = paces(training(**{"schedule": {"type": "oneCycle"}, **changes}), 61, rules)
    assert found[0].momentum == found[20 if "warmup" in str(changes) else 0].momentum == expected
