"""How exact a resume is, and why not more exact."""

import os
import sys

import pytest
import torch

from support.trainer import Path, recipe
from trainer.distributed import World
from trainer.learning.exactness import Circumstances, circumstances, compare, use_deterministic_kernels
from trainingjob_api.spec.training import Training

ONE, TWO = (World(0, size, torch.device("cpu")) for size in (1, 2))


def training(**changes: object) -> Training:
    return Training.model_validate(recipe(Path("/t.csv"), **{"schedule": None, "epochs": 10, **changes}))


THEN = circumstances(training(), "digest", TWO)
ELSEWHERE = training(
    data={"path": "/u.csv", "target": "y"}, earlyStopping=None, tensorboard=True, export={"formats": ["onnx"]}
)


@pytest.mark.parametrize(
    ("change", "exactness", "words"),
    [
        pytest.param({}, "Bitwise", None, id="nothing has changed"),
        pytest.param({"world_size": 3}, "StepExact", "3 ranks instead of 2", id="ranks"),
        pytest.param({"threads": 99}, "StepExact", "threads", id="threads"),
        pytest.param({"machine": "other"}, "StepExact", "machine", id="machine"),
        pytest.param({"sums": "by rank"}, "StepExact", "sums: by rank instead of by gloo", id="order of sums"),
        pytest.param(
            {"lstms": "in float32"},
            "StepExact",
            "lstms: in float32 instead of in the precision asked for",
            id="what the CPU computes LSTMs in",
        ),
        pytest.param({"torch_version": "9"}, "StepExact", "torch version", id="torch"),
        pytest.param({"device": "cuda (H100)"}, "StepExact", "device", id="device"),
        pytest.param({"data_digest": "other"}, "Approximate", "data", id="data"),
        pytest.param(
            {"recipe": circumstances(training(batchSize=8), "", TWO).recipe}, "StepExact", "batchSize", id="recipe"
        ),
        pytest.param({"recipe": circumstances(ELSEWHERE, "", TWO).recipe}, "Bitwise", None, id="what changes no step"),
    ],
)
def test_how_exact_a_resume_is(change: dict[str, object], exactness: str, words: str | None) -> None:
    found, reason = compare(THEN, THEN.model_copy(update=change))
    assert found == exactness
    assert (words is None) == (reason is None)
    assert words is None or words in str(reason)


@pytest.mark.parametrize("change", [{"world_size": 3}, {"program": "other"}])
def test_a_program_that_is_changed_or_has_other_ranks_is_followed_approximately(change: dict[str, object]) -> None:
    then = THEN.model_copy(update={"program": "digest"})
    assert compare(then, then)[0] == "Bitwise"
    assert compare(then, then.model_copy(update=change))[0] == "Approximate"


def test_a_checkpoint_of_before_computed_lstms_as_it_was_asked_to() -> None:
    """It does not say so: a CPU that could not do that ended the training."""
    then = THEN.to_json_object()
    del then["lstms"]
    assert compare(Circumstances.model_validate(then), THEN)[0] == "Bitwise"


def test_the_reason_names_every_difference() -> None:
    changed = circumstances(training(batchSize=8, gradient={"clipNorm": 1}), "other", TWO)
    found = compare(THEN, changed.model_copy(update={"world_size": 4, "threads": 99}))
    assert found.exactness == "Approximate"
    assert found.reason is not None
    assert found.reason.split("; ") == [
        "the data has changed",
        "training.batchSize has changed",
        "training.gradient.clipNorm has changed",
        "4 ranks instead of 2",
        f"threads: 99 instead of {THEN.threads}",
    ]


def test_data_that_is_streamed_now_is_told_as_such() -> None:
    assert compare(THEN, circumstances(training(), "stream:digest", TWO)).reason == (
        "the data is a stream, no longer in memory"
    )


def test_a_gpu_is_never_called_bitwise() -> None:
    gpu = THEN.model_copy(update={"device": "cuda (H100)"})
    assert compare(gpu, gpu)[0] == "StepExact"


@pytest.mark.parametrize(
    ("schedule", "exactness"),
    [
        pytest.param(None, "Bitwise", id="none"),
        pytest.param({"type": "constant"}, "Bitwise", id="constant"),
        pytest.param({"type": "step", "stepSize": 2}, "Bitwise", id="step"),
        pytest.param({"type": "plateau"}, "Bitwise", id="plateau"),
        pytest.param({"type": "cosine"}, "StepExact", id="a cosine over all epochs"),
        pytest.param({"type": "cosine", "tMax": 5}, "Bitwise", id="a cosine of its own length"),
        pytest.param({"type": "linear"}, "StepExact", id="a line over all epochs"),
        pytest.param({"type": "linear", "totalEpochs": 5}, "Bitwise", id="a line of its own length"),
        pytest.param({"type": "oneCycle"}, "StepExact", id="one cycle"),
        pytest.param({"type": "constant", "warmup": {"epochs": 2}}, "Bitwise", id="warm-up"),
        pytest.param({"type": "constant", "warmup": {"epochs": "auto"}}, "StepExact", id="warm-up by share"),
    ],
)
@pytest.mark.parametrize(
    ("few", "many"),
    [
        ({"epochs": 10}, {"epochs": 20}),
        ({"epochs": None}, {"epochs": 200}),
        ({"epochs": None, "budget": {"steps": 10}}, {"epochs": None, "budget": {"steps": 99}}),
    ],
    ids=["epochs", "epochs of the default", "budget"],
)
def test_more_epochs_change_steps_only_if_the_schedule_spans_them(
    schedule: dict[str, object] | None, exactness: str, few: dict[str, object], many: dict[str, object]
) -> None:
    def of(length: dict[str, object]) -> Circumstances:
        return circumstances(training(schedule=schedule, **length), "", ONE)

    may_end_in_the_warm_up = "budget" in few and schedule is not None and "warmup" in schedule
    assert compare(of(few), of(many))[0] == ("StepExact" if may_end_in_the_warm_up else exactness)


def test_what_is_watched_changes_steps_only_through_a_plateau() -> None:
    def of(metric: str, schedule: str) -> Circumstances:
        changed = training(schedule={"type": schedule}, earlyStopping={"metric": metric})
        return circumstances(changed, "", ONE)

    assert compare(of("validationLoss", "cosine"), of("trainLoss", "cosine"))[0] == "Bitwise"
    assert compare(of("validationLoss", "plateau"), of("trainLoss", "plateau"))[0] == "StepExact"


def test_a_recipe_in_stages_has_circumstances_too() -> None:
    stages = [{"epochs": 2, "batchSize": 8}]
    found = circumstances(training(epochs=None, batchSize=None, stages=stages), "", ONE)
    assert "epochs" not in found.recipe
    assert compare(found, found)[0] == "Bitwise"


def test_deterministic_kernels_are_on_and_the_compiler_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = set(sys.modules)
    try:
        use_deterministic_kernels()
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.set_deterministic_debug_mode("default")
    assert "torch._inductor.config" not in sys.modules.keys() - before
