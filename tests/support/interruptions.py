"""Trainings of every kind, each run twice: undisturbed, and stopped or killed after random steps."""

import json
import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.fork_server import ForkServer, Group, Interruption
from support.pairwise import each_value_once, pairwise
from support.trainer import history_of, newest_checkpoint, newest_tensors, recipe, run_config, write_table
from trainer.learning.plan import plan_for
from trainingjob_api.contract import ExitCode
from trainingjob_api.spec.training import Training

EPOCHS = 5
SAVED_EVERY = {"checkpointEvery": {"steps": 3}}

COLUMNS: dict[str, list[Any]] = {
    "network": ["mlp", "cnn", "lstm", "gru"],
    "optimizer": [
        {"type": "adamw"},
        {"type": "sgd", "momentum": 0.9, "nesterov": True},
        {"type": "adagrad"},
        {"type": "rmsprop", "momentum": 0.5},
    ],
    "schedule": [
        {"type": "constant"},
        {"type": "step", "stepSize": 2},
        {"type": "exponential"},
        {"type": "cosine", "warmup": {"epochs": 1}},
        {"type": "linear", "warmup": {"epochs": 2}},
        {"type": "cyclic", "minimum": 0.001, "maximum": 0.02, "stepsUp": 4},
        {"type": "oneCycle"},
        {"type": "plateau", "patience": 0},
    ],
    "ranks": [1, 2, 3, 4],
    "accumulate": [1, 3],
    "staged": [False, True],
    "dropout": [0.0, 0.3],
    "batch_norm": [False, True],
    "augmented": [False, True],
    "precision": ["float32", "bfloat16", "float16"],
    "gradient": [{}, {"clipNorm": 0.5}],
    "penalty": [None, {"l1": 0.001, "l2": 0.01}],
    "task": ["classification", "regression"],
    "loss": [("crossEntropy", "mse"), ("multiMargin", "huber"), ("focal", "mae")],
    "deterministic": [False, True],
    "apart": [False, True],
}
CASES = pairwise(COLUMNS)
TRIALS = [(case, 1) for case in CASES] + [(case, 2) for case in CASES[: 50 - len(CASES)]]
"""Cases and seeds of their interruptions."""
SINGLE_ROWS = next(
    case for case in CASES if case["network"] == "mlp" and case["batch_norm"] and case["apart"] and case["ranks"] == 2
)
"""Batch norm normalises shares of one row with running statistics, of which each rank has its own."""
QUICK = [*each_value_once(CASES), SINGLE_ROWS]
"""Every kind of everything, but not with every kind of everything else."""


def trials_of(*networks: str) -> list[Any]:
    """For pytest: those of these networks, with names."""
    return [
        pytest.param(
            *(case, seed),
            id=f"{name_of(case)}, again" if seed > 1 else name_of(case),
            marks=[] if seed == 1 and case in QUICK else pytest.mark.exhaustive,
        )
        for case, seed in TRIALS
        if case["network"] in networks
    ]


def name_of(case: Mapping[str, Any]) -> str:
    words = [case["network"], case["optimizer"]["type"], case["schedule"]["type"], f"{case['ranks']} ranks"]
    words += [name for name in ("staged", "augmented", "batch_norm", "apart") if case[name]]
    return ", ".join([*words, case["precision"]] + ["accumulated"] * (case["accumulate"] > 1))


def training_of(case: Mapping[str, Any], table: Path) -> dict[str, Any]:
    """What a network cannot have is left out."""
    images, norm = case["network"] == "cnn", case["network"] in ("mlp", "cnn") and case["batch_norm"]
    kinds: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "mlp": ({"hiddenUnits": [6, 5]}, {}),
        "cnn": ({"channels": [3], "hiddenUnits": [5]}, {"shape": [1, 2, 3]}),
        "lstm": ({"hiddenUnits": [4, 4]}, {"shape": [2, 3]}),
        "gru": ({"hiddenUnits": [5]}, {"sequence": {"length": 3}}),
    }
    model, data = kinds[case["network"]]
    stages = [{"epochs": 2, "batchSize": 8}, {"epochs": EPOCHS - 2, "batchSize": 13, "learningRateFactor": 0.5}]
    augmentation = {"augmentation": {"rotateDegrees": 20, "horizontalFlip": True, "cropPadding": 1}}
    plain = recipe(
        table,
        task=case["task"],
        model={"type": case["network"], "dropout": case["dropout"], **model, **({"batchNorm": True} if norm else {})},
        optimizer={"learningRate": 0.01, **case["optimizer"]},
        schedule=case["schedule"],
        precision=case["precision"],
        deterministic=case["deterministic"],
        loss={"type": case["loss"][case["task"] == "regression"]},
        gradient={**case["gradient"], "accumulate": case["accumulate"]},
        regularization=case["penalty"],
        **(
            {"epochs": None, "batchSize": None, "stages": stages}
            if case["staged"]
            else {"epochs": EPOCHS, "batchSize": 8}
        ),
    )
    plain["data"] |= {**data, **(augmentation if images and case["augmented"] else {})}
    return plain


@dataclass
class Trial:
    """One case in a folder of its own."""

    server: ForkServer
    case: Mapping[str, Any]
    folder: Path

    def run(self, seed: int) -> int:
        """Interrupted once or twice it must end as it does undisturbed; returns how often it was interrupted."""
        chance = random.Random(f"{seed}/{name_of(self.case)}")
        table = write_table(self.folder / "table.csv", 42, regression=self.case["task"] == "regression")
        training = training_of(self.case, table)
        undisturbed, disturbed = self.folder / "undisturbed", self.folder / "disturbed"
        ranks, apart = self.case["ranks"], self.case["apart"]
        reference = self.server.start(run_config(undisturbed, training, **SAVED_EVERY), ranks, apart=apart)
        steps = plan_for(Training.model_validate(training), rows=34).steps
        halves = [(1, steps // 2), (steps // 2 + 1, steps - 1)]
        attempts = [self._interruption(chance, *half) for half in halves]
        interrupted = 0
        for attempt, interruption in enumerate([*attempts, None], start=1):
            config = run_config(disturbed, training, attempt, **SAVED_EVERY)
            group = self.server.start(config, ranks, interruption=interruption, apart=apart)
            codes = group.codes()
            interrupted += codes != [0] * ranks
            self._check(group, codes, interruption)
        assert reference.codes() == [0] * ranks, reference.end()
        assert newest_tensors(disturbed) == newest_tensors(undisturbed)
        assert history_of(disturbed) == history_of(undisturbed)
        assert state_of(disturbed) == state_of(undisturbed)
        return interrupted

    def _interruption(self, chance: random.Random, first: int, last: int) -> Interruption:
        """A stop reaches one rank, a kill all of them."""
        number, ranks = chance.choice([signal.SIGTERM, signal.SIGKILL]), range(self.case["ranks"])
        hit = list(ranks) if number is signal.SIGKILL else [chance.choice(ranks)]
        return Interruption(chance.randint(first, last), number, hit)

    def _check(self, group: Group, codes: list[int], interruption: Interruption | None) -> None:
        if interruption is None:
            assert codes == [0] * len(codes), group.end()
        elif interruption.number is signal.SIGTERM:
            assert codes in ([0] * len(codes), [ExitCode.STOPPED] * len(codes)), group.end()
        else:
            assert -signal.SIGKILL in codes or codes == [0] * len(codes), group.end()


def state_of(folder: Path) -> dict[str, Any]:
    """state.json of the newest checkpoint without what depends on the clock."""
    state: dict[str, Any] = json.loads((newest_checkpoint(folder) / "state.json").read_text())
    for name in ("secondsPerEpoch", "samplesPerSecond"):
        state["standing"]["metrics"].pop(name)
    return {name: value for name, value in state.items() if name != "epochSeconds"}
