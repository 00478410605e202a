"""A stop, a kill or a number that is not finite, at exact places of a training."""

import signal
from pathlib import Path

import pytest
from safetensors.numpy import load

from support.checkpoints import newest_step, whole_steps
from support.fork_server import ForkServer
from support.sabotage import Sabotage
from support.trainer import history_of, newest_tensors, recipe, run_config
from trainingjob_api.contract import ExitCode

EPOCHS, STEPS = 3, 18
EVERY = {"checkpointEvery": {"steps": 4}}

BEFORE_THE_END = [
    pytest.param("trainer.learning.work:load_dataset", 1, id="before the data is read"),
    pytest.param("trainer.learning.work:join", 1, id="before the ranks meet"),
    pytest.param("trainer.session:Run.restore", 1, id="before the state is restored"),
    pytest.param("trainer.learning.learner:Learner.step", 1, id="in the first step"),
    pytest.param("trainer.learning.learner:Learner.step", 3, id="in the middle of an epoch"),
    pytest.param("trainer.learning.learner:Learner.step", 6, id="in the last step of an epoch"),
    pytest.param("trainer.learning.loop:measure_epoch", 1, id="between the last step and the evaluation"),
    pytest.param("trainer.learning.learner:Learner.measure", 2, id="in an evaluation"),
    pytest.param("trainer.session:Run.report", 1, id="when an epoch is reported"),
    pytest.param("trainer.session:Run.save", 1, id="before a save"),
    pytest.param("trainer.checkpoint.store:Store.commit", 1, id="in a save"),
    pytest.param("trainer.checkpoint.store:Store._rename", 2, id="late in a save"),
    pytest.param("trainer.learning.learner:Learner.step", STEPS - 1, id="in the last step but one"),
    pytest.param("trainer.learning.loop:measure_epoch", EPOCHS, id="before the last evaluation"),
]
AT_THE_END = [
    pytest.param("trainer.learning.learner:Learner.step", STEPS, id="in the last step"),
    pytest.param("trainer.session:Run.report", EPOCHS, id="when the last epoch is reported"),
    pytest.param("trainer.learning.work:finish", 1, id="before the last save"),
    pytest.param("trainer.checkpoint.store:Store._rename", 5, id="in the last save"),
    pytest.param("trainer.learning.finish:export", 1, id="when the model is exported"),
    pytest.param("trainer.checkpoint.folder:Folder.write_done", 1, id="before the done mark"),
]


@pytest.fixture(scope="module")
def training(table: Path) -> dict[str, object]:
    return recipe(table, epochs=EPOCHS)


@pytest.fixture(scope="module")
def undisturbed(
    server: ForkServer, training: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Path]:
    """ranks -> the folder of a training to which nothing happened."""
    root = tmp_path_factory.mktemp("undisturbed")
    for ranks in (1, 2):
        assert server.start(run_config(root / str(ranks), training, **EVERY), ranks).codes() == [0] * ranks
    return {ranks: root / str(ranks) for ranks in (1, 2)}


def go_on(server: ForkServer, folder: Path, training: dict[str, object], ranks: int, expected: Path) -> None:
    """The next attempt ends as if nothing had happened."""
    group = server.start(run_config(folder, training, 2, **EVERY), ranks)
    assert group.codes() == [0] * ranks, group.end()
    assert newest_tensors(folder) == newest_tensors(expected)
    assert history_of(folder) == history_of(expected)
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(("place", "call"), BEFORE_THE_END)
def test_a_stop_loses_no_step(
    server: ForkServer,
    training: dict[str, object],
    undisturbed: dict[int, Path],
    tmp_path: Path,
    place: str,
    call: int,
    ranks: int,
) -> None:
    # The last rank is asked, unless only the first one comes by there.
    asked = 0 if "Store" in place else ranks - 1
    sabotage = Sabotage("stop", place, call, asked)
    group = server.start(run_config(tmp_path / "c", training, **EVERY), ranks, sabotage)
    assert group.codes() == [ExitCode.STOPPED] * ranks, group.end()
    assert newest_step(tmp_path / "c") == group.step(), "a step that was done is not saved"
    go_on(server, tmp_path / "c", training, ranks, undisturbed[ranks])


@pytest.mark.parametrize(("place", "call"), AT_THE_END)
def test_a_stop_at_the_end_is_a_stop_or_the_end(
    server: ForkServer,
    training: dict[str, object],
    undisturbed: dict[int, Path],
    tmp_path: Path,
    place: str,
    call: int,
) -> None:
    group = server.start(run_config(tmp_path / "c", training, **EVERY), 1, Sabotage("stop", place, call))
    (code,) = group.codes()
    assert code in (ExitCode.STOPPED, ExitCode.COMPLETED), group.end()
    assert newest_step(tmp_path / "c") == STEPS
    assert (tmp_path / "c" / "done.json").exists() == (code == ExitCode.COMPLETED)
    if code == ExitCode.STOPPED:
        go_on(server, tmp_path / "c", training, 1, undisturbed[1])


@pytest.mark.parametrize(
    ("place", "call"),
    [
        pytest.param("trainer.checkpoint.store:Store.commit", 2, id="before a save"),
        pytest.param("trainer.checkpoint.store:sync_folder", 3, id="in a save"),
        pytest.param("trainer.checkpoint.store:Store._remove_old", 3, id="before old ones are removed"),
        pytest.param("trainer.reporting.history:History.append", 2, id="before a line of the history"),
        pytest.param("trainer.learning.work:finish", 1, id="before the last save"),
        pytest.param("trainer.learning.finish:export", 1, id="before the export"),
        pytest.param("trainer.learning.finish:replace", 1, id="before the report"),
        pytest.param("trainer.checkpoint.folder:Folder.write_done", 1, id="before the done mark"),
    ],
)
def test_a_kill_costs_the_steps_since_the_last_save_and_nothing_else(
    server: ForkServer,
    training: dict[str, object],
    undisturbed: dict[int, Path],
    tmp_path: Path,
    place: str,
    call: int,
) -> None:
    group = server.start(run_config(tmp_path / "c", training, **EVERY), 1, Sabotage("kill", place, call))
    assert group.codes() == [-signal.SIGKILL]
    assert group.step() - (newest_step(tmp_path / "c") or 0) <= 4
    go_on(server, tmp_path / "c", training, 1, undisturbed[1])


@pytest.mark.parametrize(
    ("place", "call", "saved", "ranks"),
    [
        pytest.param("trainer.checkpoint.store:Store.commit", 2, {4}, 1, id="since the second save"),
        pytest.param("trainer.learning.work:finish", 1, {12, 16}, 2, id="since the last step"),
    ],
)
def test_an_end_that_cannot_be_saved_is_none_and_says_why(
    server: ForkServer,
    training: dict[str, object],
    undisturbed: dict[int, Path],
    tmp_path: Path,
    place: str,
    call: int,
    saved: set[int],
    ranks: int,
) -> None:
    group = server.start(run_config(tmp_path / "c", training, **EVERY), ranks, Sabotage("fill disk", place, call))
    assert group.codes() == [ExitCode.CRASH] * ranks, group.end()
    end = group.end()
    assert end is not None
    assert end.message.startswith(f"the end of training, step {STEPS}, could not be saved: [Errno 28] No space left")
    assert group.step() == STEPS, "a save that fails does not end training"
    assert whole_steps(tmp_path / "c") == saved
    assert not (tmp_path / "c" / "done.json").exists()
    go_on(server, tmp_path / "c", training, ranks, undisturbed[ranks])


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    ("action", "place", "call", "steps"),
    [
        pytest.param("spoil weight", "trainer.learning.learner:Learner.step", 10, 9, id="a weight"),
        pytest.param("spoil gradient", "trainer.learning.learner:Learner.step", 10, 10, id="a gradient"),
        pytest.param("spoil input", "trainer.learning.learner:Learner.step", 10, 9, id="an input, and so the loss"),
        pytest.param("spoil saved weight", "trainer.checkpoint.saving:Saver.save", 2, 8, id="a weight as it is saved"),
        pytest.param("spoil optimizer", "trainer.checkpoint.saving:Saver.save", 2, 8, id="a moment as it is saved"),
    ],
)
def test_what_is_not_finite_ends_training_within_a_step_and_is_never_saved(
    server: ForkServer,
    training: dict[str, object],
    undisturbed: dict[int, Path],
    tmp_path: Path,
    action: str,
    place: str,
    call: int,
    steps: int,
    ranks: int,
) -> None:
    sabotage = Sabotage(action, place, call)
    group = server.start(run_config(tmp_path / "c", training, **EVERY), ranks, sabotage)
    assert group.codes()[0] == ExitCode.NON_FINITE, group.end()
    assert group.step() == steps
    good = {4} if steps == 8 else {4, 8}
    assert whole_steps(tmp_path / "c") == good
    for file in (tmp_path / "c").rglob("*.safetensors"):
        for values in load(file.read_bytes()).values():
            assert values.dtype.kind != "f" or abs(values).max(initial=0) < float("inf"), file
    go_on(server, tmp_path / "c", training, ranks, undisturbed[ranks])


def test_a_damaged_checkpoint_costs_steps_and_status_says_why(
    server: ForkServer, training: dict[str, object], undisturbed: dict[int, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    group = server.start(run_config(folder, training, **EVERY), 2, Sabotage("kill", "trainer.learning.finish:export"))
    assert group.codes()[0] == -signal.SIGKILL
    newest = folder / f"step-{STEPS}.1" / "model.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    group = server.start(run_config(folder, training, 2, **EVERY), 2)
    assert group.codes() == [0, 0]
    resume = group.folder.read_progress().resume  # type: ignore[union-attr]
    assert resume is not None
    assert (resume.from_step, resume.exactness) == (16, "Bitwise")
    assert resume.reason == f"step-{STEPS}.1/model.safetensors: its checksum is wrong"
    assert newest_tensors(folder) == newest_tensors(undisturbed[2])
