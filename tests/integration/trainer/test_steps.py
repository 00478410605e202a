"""What all ranks do together: the gradient of the whole batch, and going on after an interruption."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load

from support.fork_server import ForkServer, Interruption
from support.interruptions import state_of
from support.rounding import rounding
from support.trainer import history_of, newest_checkpoint, newest_tensors, recipe, run_config, write_table
from support.waiting import wait_for
from trainingjob_api.contract import ExitCode


def gradient(server: ForkServer, folder: Path, training: dict[str, object], ranks: int) -> NDArray[np.float32]:
    """Of one step over all rows: AdamW's first moment is then a tenth of it. After several steps it weighs theirs."""
    assert server.start(run_config(folder, training), ranks).codes() == [0] * ranks
    moments = load((newest_checkpoint(folder) / "optimizer.safetensors").read_bytes())
    return np.concatenate([moments[name].ravel() for name in sorted(moments) if name.endswith("exp_avg")]) * 10


WIDTH = 6 + 8 + 8
"""Of the networks here, from inputs to outputs: what a number is made of on its way through them."""


def require_same_gradient(one: NDArray[np.float32], other: NDArray[np.float32], rows: int) -> None:
    assert np.abs(one - other).max() <= rounding(rows + WIDTH, torch.float32) * np.abs(other).max()


def weights(folder: Path) -> dict[str, bytes]:
    """Of a checkpoint or of the finished model."""
    return {name: value.tobytes() for name, value in load((folder / "model.safetensors").read_bytes()).items()}


@pytest.mark.parametrize("rows", [29, 2], ids=["shares of different size", "a rank without a share"])
def test_any_number_of_ranks_gives_the_gradient_of_the_whole_batch(
    server: ForkServer, tmp_path: Path, rows: int
) -> None:
    table = write_table(tmp_path / "table.csv", rows, seed=3, regression=True)
    whole = {"path": str(table), "target": "target"}
    model = {"type": "mlp", "hiddenUnits": [8, 8], "activation": "tanh"}
    one_step = {"epochs": 1, "batchSize": 64, "schedule": None, "earlyStopping": None}
    training = recipe(table, task="regression", data=whole, model=model, **one_step)
    alone = gradient(server, tmp_path / "1", training, 1)
    assert np.abs(alone).max() > 0.01
    for ranks in (2, 3):
        together = gradient(server, tmp_path / str(ranks), training, ranks)
        require_same_gradient(together, alone, rows)


@pytest.mark.parametrize(("ranks", "sums"), [(2, "by gloo or NCCL"), (3, "by rank")])
def test_ranks_of_one_pod_add_like_those_of_several_or_say_so(
    server: ForkServer, table: Path, tmp_path: Path, ranks: int, sums: str
) -> None:
    """Two numbers have the same sum in any order, three have not: a resume may then not be called bitwise."""
    together, apart = tmp_path / "together", tmp_path / "apart"
    groups = [
        server.start(run_config(together, recipe(table, epochs=3)), ranks),
        server.start(run_config(apart, recipe(table, epochs=3)), ranks, apart=True),
    ]
    assert [group.codes() for group in groups] == [[0] * ranks] * 2
    assert state_of(apart)["circumstances"]["sums"] == "by gloo or NCCL"
    assert state_of(together)["circumstances"]["sums"] == sums
    assert ranks > 2 or newest_tensors(together) == newest_tensors(apart)


def test_more_ranks_than_rows_that_are_held_back(server: ForkServer, tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv", 30)
    test = write_table(tmp_path / "test.csv", 2, seed=3)
    data = {"path": str(table), "target": "target", "validation": {"fraction": 0.03}, "test": {"path": str(test)}}
    ends = {}
    for ranks in (1, 3):
        training = recipe(table, data=data, epochs=2, optimizer={"type": "sgd", "learningRate": 1e-12}, schedule=None)
        assert server.start(run_config(tmp_path / str(ranks), training), ranks).codes() == [0] * ranks
        ends[ranks] = json.loads((tmp_path / str(ranks) / "done.json").read_text())["progress"]
    assert ends[1]["test"]["samples"] == ends[3]["test"]["samples"] == 2
    for part, name in (("latest", "validationLoss"), ("test", "loss")):
        # Two rows; what each of them goes through rounds as well, in another order in a batch of another size.
        assert ends[3][part][name] == pytest.approx(ends[1][part][name], rel=rounding(2 + WIDTH, torch.float32))


def test_rows_that_are_gone_after_a_pause_are_counted_no_more(server: ForkServer, tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv", 400)
    training = recipe(table, epochs=3, optimizer={"type": "sgd", "learningRate": 1e-12}, schedule=None)
    first = server.start(run_config(tmp_path / "c", training), 1, interruption=Interruption(30, signal.SIGTERM, [0]))
    assert first.codes() == [ExitCode.STOPPED]
    write_table(table, 100)
    last = server.start(run_config(tmp_path / "c", training, 2), 1)
    assert last.codes() == [0]
    resume = last.folder.read_progress().resume  # type: ignore[union-attr]
    assert resume is not None
    assert (resume.exactness, resume.reason) == ("Approximate", "the data has changed")
    accuracies = [line["trainAccuracy"] for line in history_of(tmp_path / "c")]
    assert accuracies[1] == pytest.approx(accuracies[2], abs=0.2), "the network stands still, but for dropout"


def test_accumulated_gradients_are_those_of_the_large_batch(server: ForkServer, tmp_path: Path) -> None:
    """29 rows: a step of 8 and 8, then one of 8 and 5, of which no number of ranks gets equal shares."""
    table = write_table(tmp_path / "table.csv", 29, seed=3, regression=True)
    still = {"type": "adamw", "learningRate": 1e-12}
    model = {"type": "mlp", "hiddenUnits": [8, 8], "activation": "tanh"}
    plain = {"epochs": 1, "schedule": None, "earlyStopping": None, "optimizer": still, "model": model}
    training = recipe(table, task="regression", data={"path": str(table), "target": "target"}, **plain)
    whole = gradient(server, tmp_path / "whole", {**training, "batchSize": 16}, 1)
    assert np.abs(whole).max() > 0.01
    for ranks in (1, 2, 3):
        parts = {**training, "batchSize": 8, "gradient": {"accumulate": 2}}
        folder = tmp_path / str(ranks)
        require_same_gradient(gradient(server, folder, parts, ranks), whole, 29)
        assert newest_checkpoint(folder).name == "step-2.1"


def test_early_stopping_restores_the_best_and_ends_at_the_same_epoch_after_a_resume(
    server: ForkServer, table: Path, tmp_path: Path
) -> None:
    patience = {"patience": 4, "minDelta": 0.001}
    impatient, every = recipe(table, epochs=500, earlyStopping=patience), {"checkpointEvery": {"steps": 6}}
    assert server.start(run_config(tmp_path / "undisturbed", impatient, **every), 2).codes() == [0, 0]
    done = json.loads((tmp_path / "undisturbed" / "done.json").read_text())
    assert done["outcome"] == "EarlyStopped"
    losses = [line["validationLoss"] for line in history_of(tmp_path / "undisturbed")]
    best = done["progress"]["best"]["epoch"]
    assert losses[best - 1] == done["progress"]["best"]["validationLoss"] == min(losses)
    assert min(losses[-4:]) >= min(losses[:-4]) - 0.001, "four epochs without a gain that is worth waiting for"
    steps = done["progress"]["step"] // len(losses)
    assert weights(tmp_path / "undisturbed" / "model") == weights(tmp_path / "undisturbed" / f"step-{best * steps}.1")

    assert server.start(run_config(tmp_path / "to the end", {**impatient, "epochs": len(losses)}), 2).codes() == [0, 0]
    assert json.loads((tmp_path / "to the end" / "done.json").read_text())["outcome"] == "Completed"

    last = {**impatient, "earlyStopping": {**patience, "restoreBest": False}}
    assert server.start(run_config(tmp_path / "last", last), 1).codes() == [0]
    assert weights(tmp_path / "last" / "model") == weights(newest_checkpoint(tmp_path / "last"))

    alone = {**impatient, "data": {"path": str(table), "target": "target"}, "earlyStopping": None, "epochs": 3}
    for name, chosen in (("alone", None), ("by loss", {"metric": "trainLoss", "mode": "max"})):
        assert server.start(run_config(tmp_path / name, {**alone, "selection": chosen}), 1).codes() == [0]
        is_last = weights(tmp_path / name / "model") == weights(newest_checkpoint(tmp_path / name))
        assert is_last == (chosen is None), "what is trained on chooses only if it is asked to"

    group = server.start(run_config(tmp_path / "disturbed", impatient, **every), 2)
    assert group.wait_for_step(int(done["progress"]["step"]) - 20)
    group.signal(signal.SIGTERM)
    assert group.codes() == [ExitCode.STOPPED] * 2
    assert server.start(run_config(tmp_path / "disturbed", impatient, 2, **every), 2).codes() == [0, 0]
    assert newest_tensors(tmp_path / "disturbed") == newest_tensors(tmp_path / "undisturbed")
    assert history_of(tmp_path / "disturbed") == history_of(tmp_path / "undisturbed")


def test_what_was_the_best_by_another_measure_counts_for_nothing(
    server: ForkServer, table: Path, tmp_path: Path
) -> None:
    folder, done = tmp_path / "c", tmp_path / "c" / "done.json"
    first_is_best = {"patience": 1000, "mode": "max"}
    by_loss = recipe(table, epochs=4, schedule={"type": "plateau", "patience": 0}, earlyStopping=first_is_best)
    assert server.start(run_config(folder, by_loss), 1).codes() == [0]
    assert json.loads(done.read_text())["message"].startswith("completed 4 epochs; the best was 1 (validationLoss ")
    assert weights(folder / "model") != weights(newest_checkpoint(folder))

    done.unlink()
    by_accuracy = {**by_loss, "earlyStopping": {**first_is_best, "metric": "validationAccuracy"}}
    assert server.start(run_config(folder, by_accuracy, 2), 1).codes() == [0]
    after = json.loads(done.read_text())
    assert (after["message"], "best" in after["progress"]) == ("completed 4 epochs", False)
    assert weights(folder / "model") == weights(newest_checkpoint(folder))

    done.unlink()
    assert server.start(run_config(folder, {**by_accuracy, "epochs": 6}, 3), 1).codes() == [0]
    assert re.search(r"the best was [56] \(validationAccuracy", json.loads(done.read_text())["message"])
    rates = [line["learningRate"] for line in history_of(folder)]
    assert rates[5] == rates[4], "an accuracy is not compared with a loss"


def test_another_number_of_ranks_continues_the_same_samples(server: ForkServer, table: Path, tmp_path: Path) -> None:
    """Without dropout only the order of summation differs."""
    plain = recipe(table, model={"type": "mlp", "hiddenUnits": [8, 8]}, epochs=6)
    assert server.start(run_config(tmp_path / "one", plain), 1).codes() == [0]
    group = server.start(run_config(tmp_path / "both", plain), 2)
    assert group.wait_for_step(9)
    group.signal(signal.SIGTERM)
    assert group.codes() == [ExitCode.STOPPED] * 2
    last = server.start(run_config(tmp_path / "both", plain, 2), 3)
    assert last.codes() == [0] * 3
    resume = last.folder.read_progress().resume  # type: ignore[union-attr]
    assert resume is not None
    reason = "3 ranks instead of 2; sums: by rank instead of by gloo or NCCL"
    assert (resume.exactness, resume.reason) == ("StepExact", reason)
    for one, both in zip(history_of(tmp_path / "one"), history_of(tmp_path / "both"), strict=True):
        assert one.keys() == both.keys()
        assert all(both[key] == pytest.approx(value, rel=1e-3, abs=1e-4) for key, value in one.items())


def test_a_save_that_is_cut_off_leaves_the_one_before(server: ForkServer, table: Path, tmp_path: Path) -> None:
    """Killed in the middle of saving, again and again: training always goes on from a checkpoint that is whole."""
    training = recipe(table, model={"type": "mlp", "hiddenUnits": [256, 256]}, epochs=8)
    reached = 0
    for attempt in range(1, 5):
        group = server.start(run_config(tmp_path / "c", training, attempt), 1)
        temporary = tmp_path / "c"

        def is_saving(folder: Path = temporary, beyond: int = reached) -> bool:
            return any(int(path.name[5:].split(".")[0]) > beyond for path in folder.glob("step-*.tmp"))

        wait_for(lambda group=group, is_saving=is_saving: is_saving() or group.step() >= 48, "a save", 0.002)
        os.kill(group.pids[0], signal.SIGKILL)
        assert group.codes() == [-signal.SIGKILL]
        reached += 6
    assert server.start(run_config(tmp_path / "c", training, 9), 1).codes() == [0]
    assert server.start(run_config(tmp_path / "undisturbed", training, 9), 1).codes() == [0]
    assert newest_tensors(tmp_path / "c") == newest_tensors(tmp_path / "undisturbed")
    assert not list((tmp_path / "c").glob("*.tmp"))


def test_a_large_state_is_written_while_training_goes_on_and_a_stop_waits_for_it(
    server: ForkServer, table: Path, tmp_path: Path
) -> None:
    """80 MB in every checkpoint, and one after every step: most stops come while a write is on its way."""
    training = recipe(table, model={"type": "mlp", "hiddenUnits": [2500, 2500], "dropout": 0.2}, epochs=3)
    every = {"checkpointEvery": {"steps": 2}}
    assert server.start(run_config(tmp_path / "undisturbed", training, **every), 1).codes() == [0]
    group = server.start(run_config(tmp_path / "disturbed", training, **every), 1)
    assert group.wait_for_step(7)
    group.signal(signal.SIGTERM)
    assert group.codes() == [ExitCode.STOPPED]
    saved = group.folder.read_progress().checkpoint  # type: ignore[union-attr]
    assert saved is not None
    assert saved.size_bytes > 64 * 1024 * 1024
    assert (tmp_path / "disturbed" / saved.path / "manifest.json").exists()
    assert server.start(run_config(tmp_path / "disturbed", training, 2, **every), 1).codes() == [0]
    assert newest_tensors(tmp_path / "disturbed") == newest_tensors(tmp_path / "undisturbed")
