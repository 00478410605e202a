"""A stop, a kill or a number that is not finite, at exact places of a training."""

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.numpy import load

from support.checkpoints import newest_step, whole_steps
from support.fork_server import ForkServer, Group
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
    pytest.param("trainer.learning.learner:Learner.outputs", 2, id="in an evaluation"),
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


@dataclass(frozen=True)
class Victim:
    """A training to which something happens, in a folder of its own."""

    server: ForkServer
    training: dict[str, object]
    undisturbed: dict[int, Path]
    folder: Path

    def start(self, ranks: int, sabotage: Sabotage | None = None, attempt: int = 1) -> Group:
        return self.server.start(run_config(self.folder, self.training, attempt, **EVERY), ranks, sabotage)

    def go_on(self, ranks: int) -> Group:
        """The next attempt ends as if nothing had happened."""
        group = self.start(ranks, attempt=2)
        assert group.codes() == [0] * ranks, group.end()
        assert newest_tensors(self.folder) == newest_tensors(self.undisturbed[ranks])
        assert history_of(self.folder) == history_of(self.undisturbed[ranks])
        assert not list(self.folder.glob("*.tmp"))
        return group


@pytest.fixture
def victim(server: ForkServer, training: dict[str, object], undisturbed: dict[int, Path], tmp_path: Path) -> Victim:
    return Victim(server, training, undisturbed, tmp_path / "c")


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(("place", "call"), BEFORE_THE_END)
def test_a_stop_loses_no_step(victim: Victim, place: str, call: int, ranks: int) -> None:
    # The last rank is asked, unless only the first one comes by there.
    asked = 0 if "Store" in place else ranks - 1
    sabotage = Sabotage("stop", place, call, asked)
    group = victim.start(ranks, sabotage)
    assert group.codes() == [ExitCode.STOPPED] * ranks, group.end()
    assert newest_step(victim.folder) == group.step(), "a step that was done is not saved"
    victim.go_on(ranks)


@pytest.mark.parametrize(("place", "call"), AT_THE_END)
def test_a_stop_at_the_end_is_a_stop_or_the_end(victim: Victim, place: str, call: int) -> None:
    group = victim.start(1, Sabotage("stop", place, call))
    (code,) = group.codes()
    assert code in (ExitCode.STOPPED, ExitCode.COMPLETED), group.end()
    assert newest_step(victim.folder) == STEPS
    assert (victim.folder / "done.json").exists() == (code == ExitCode.COMPLETED)
    if code == ExitCode.STOPPED:
        victim.go_on(1)


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
def test_a_kill_costs_the_steps_since_the_last_save_and_nothing_else(victim: Victim, place: str, call: int) -> None:
    group = victim.start(1, Sabotage("kill", place, call))
    assert group.codes() == [-signal.SIGKILL]
    # The last save may be on its way to the disk; the one before it is there, or the last would not have begun.
    assert group.step() - (newest_step(victim.folder) or 0) <= 2 * 4
    victim.go_on(1)


@pytest.mark.parametrize(
    ("place", "call", "saved", "ranks"),
    [
        pytest.param("trainer.checkpoint.store:Store.commit", 2, {4}, 1, id="since the second save"),
        pytest.param("trainer.learning.work:finish", 1, {12, 16}, 2, id="since the last step"),
    ],
)
def test_an_end_that_cannot_be_saved_is_none_and_says_why(
    victim: Victim, place: str, call: int, saved: set[int], ranks: int
) -> None:
    group = victim.start(ranks, Sabotage("fill disk", place, call))
    assert group.codes() == [ExitCode.CRASH] * ranks, group.end()
    end = group.end()
    assert end is not None
    assert end.message.startswith(f"the end of training, step {STEPS}, could not be saved: [Errno 28] No space left")
    assert group.step() == STEPS, "a save that fails does not end training"
    assert whole_steps(victim.folder) == saved
    assert not (victim.folder / "done.json").exists()
    victim.go_on(ranks)


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
    victim: Victim, action: str, place: str, call: int, steps: int, ranks: int
) -> None:
    sabotage = Sabotage(action, place, call)
    group = victim.start(ranks, sabotage)
    assert group.codes()[0] == ExitCode.NON_FINITE, group.end()
    assert group.step() == steps
    good = {4} if steps == 8 else {4, 8}
    assert whole_steps(victim.folder) == good
    for file in victim.folder.rglob("*.safetensors"):
        for values in load(file.read_bytes()).values():
            assert values.dtype.kind != "f" or abs(values).max(initial=0) < float("inf"), file
    victim.go_on(ranks)


def test_a_damaged_checkpoint_costs_steps_and_status_says_why(victim: Victim) -> None:
    folder = victim.folder
    group = victim.start(2, Sabotage("kill", "trainer.learning.finish:export"))
    assert group.codes()[0] == -signal.SIGKILL
    newest = folder / f"step-{STEPS}.1" / "model.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    resume = victim.go_on(2).folder.read_progress().resume  # type: ignore[union-attr]
    assert resume is not None
    assert (resume.from_step, resume.exactness) == (16, "Bitwise")
    assert resume.reason == f"step-{STEPS}.1/model.safetensors: its checksum is wrong"
