"""Whose folder it is."""

from pathlib import Path

import pytest

from support.checkpoints import commit
from support.trainer import recipe, run_config
from trainer.checkpoint.folder import Folder, first_difference, next_attempt
from trainer.errors import CheckpointMismatch, FolderInUse, Superseded
from trainingjob_api.progress import Outcome, Progress, RunConfig, State

TABLE = Path("/data/table.csv")


def run(path: Path, attempt: int = 1, uid: str = "uid-1", **changes: object) -> RunConfig:
    return run_config(path, recipe(TABLE, **changes), attempt, uid=uid)


def finish(config: RunConfig, outcome: Outcome = Outcome.COMPLETED) -> None:
    progress = Progress(uid=config.uid, attempt=config.attempt, state=State.FINISHED, epochs=config.training.epochs)
    Folder(config).write_done(outcome, "done", progress)


def test_the_attempts_of_a_job_are_numbered_as_they_are(tmp_path: Path) -> None:
    for attempt in (1, 2, 7):
        Folder(run(tmp_path, attempt)).claim()
        assert Folder(run(tmp_path, attempt)).generation == attempt


def test_another_job_with_the_same_recipe_goes_on_counting(tmp_path: Path) -> None:
    Folder(run(tmp_path, 5)).claim()
    Folder(run(tmp_path, 1, uid="uid-2")).claim()
    assert Folder(run(tmp_path, 1, uid="uid-2")).generation == 6
    with pytest.raises(FolderInUse):
        Folder(run(tmp_path, 5)).check_fence()


def test_an_older_attempt_is_refused_at_its_start_and_at_its_commit(tmp_path: Path) -> None:
    old, new = Folder(run(tmp_path, 1)), Folder(run(tmp_path, 2))
    old.claim()
    old.check_fence()
    new.claim()
    new.check_fence()
    with pytest.raises(Superseded):
        old.check_fence()
    with pytest.raises(Superseded):
        old.claim()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param(
            {"model": {"type": "mlp", "hiddenUnits": [9, 9], "dropout": 0.3}}, "model.hiddenUnits", id="width"
        ),
        pytest.param({"seed": 8}, "seed", id="seed"),
        pytest.param(
            {"data": {"path": "/data/other.csv", "target": "target", "validation": {"fraction": 0.2}}},
            "data.path",
            id="data",
        ),
    ],
)
def test_another_recipe_is_refused_and_the_field_is_named(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    first = Folder(run(tmp_path))
    first.claim()
    commit(first.store(), 1)
    with pytest.raises(CheckpointMismatch, match=rf"{tmp_path}.*training\.{field}"):
        Folder(run(tmp_path, 2, **change)).claim()


@pytest.mark.parametrize("uid", ["uid-1", "uid-2"], ids=["the same job", "another job"])
def test_a_recipe_that_has_saved_nothing_may_be_corrected(tmp_path: Path, uid: str) -> None:
    """Such as one with a wrong path: nobody could go on with what is not there."""
    Folder(run(tmp_path, 1)).claim()
    corrected = Folder(run(tmp_path, 2, uid, seed=8))
    corrected.claim()
    commit(corrected.store(), 1, attempt=corrected.generation)
    with pytest.raises(CheckpointMismatch, match=r"training\.seed"):
        Folder(run(tmp_path, 3, uid)).claim()


def test_a_finished_training_is_not_given_up_for_another_recipe_even_without_its_checkpoints(tmp_path: Path) -> None:
    Folder(run(tmp_path)).claim()
    finish(run(tmp_path))
    with pytest.raises(CheckpointMismatch, match=r"training\.seed"):
        Folder(run(tmp_path, 2, seed=8)).claim()


@pytest.mark.parametrize("change", [{"epochs": 100}, {"batchSize": 8}, {"schedule": None}], ids=str)
def test_what_may_change_is_not_refused(tmp_path: Path, change: dict[str, object]) -> None:
    Folder(run(tmp_path)).claim()
    Folder(run(tmp_path, 2, **change)).claim()


def test_a_training_is_done_once_it_says_so(tmp_path: Path) -> None:
    Folder(run(tmp_path)).claim()
    assert Folder(run(tmp_path)).done() is None
    finish(run(tmp_path))
    record = Folder(run(tmp_path, 2)).done()
    assert record is not None
    assert record.outcome is Outcome.COMPLETED


@pytest.mark.parametrize(
    ("outcome", "epochs", "is_done"),
    [
        pytest.param(Outcome.COMPLETED, 12, True, id="the same number of epochs"),
        pytest.param(Outcome.COMPLETED, 13, False, id="more epochs"),
        pytest.param(Outcome.EARLY_STOPPED, 13, True, id="more epochs than early stopping needed"),
    ],
)
def test_more_epochs_are_more_to_do(tmp_path: Path, outcome: Outcome, epochs: int, is_done: bool) -> None:
    Folder(run(tmp_path)).claim()
    finish(run(tmp_path), outcome)
    assert (Folder(run(tmp_path, 2, epochs=epochs)).done() is not None) == is_done


def test_a_damaged_done_mark_counts_as_none(tmp_path: Path) -> None:
    Folder(run(tmp_path)).claim()
    finish(run(tmp_path))
    (tmp_path / "done.json").write_text((tmp_path / "done.json").read_text()[:-20])
    assert Folder(run(tmp_path)).done() is None


def test_another_recipes_done_mark_is_not_believed(tmp_path: Path) -> None:
    Folder(run(tmp_path)).claim()
    finish(run(tmp_path))
    assert Folder(run(tmp_path, 2, seed=8)).done() is None


def test_without_an_operator_attempts_are_counted_from_the_folder(tmp_path: Path) -> None:
    assert next_attempt(tmp_path) == 1
    for attempt in (1, 2, 3):
        Folder(run(tmp_path, attempt)).claim()
    assert next_attempt(tmp_path) == 4


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        pytest.param({"a": 1}, {"a": 1}, None, id="equal"),
        pytest.param({"a": {"b": [1]}}, {"a": {"b": [2]}}, "a.b", id="nested"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, "b", id="missing"),
        pytest.param({"a": 1}, {"a": 1, "c": None}, "c", id="added"),
        pytest.param({"a": {"b": 1}}, {"a": 1}, "a", id="another kind"),
    ],
)
def test_first_difference(one: object, other: object, path: str | None) -> None:
    assert first_difference(one, other) == path
