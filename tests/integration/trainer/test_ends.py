"""Every exit code from a real cause."""

import json
import os
import resource
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest

from support.trainer import recipe, run_config, trainer, write_table
from support.waiting import wait_for
from trainer.pod.ports import reserved_port
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import Outcome, Progress, State

ENDLESS = 100_000
EXAMPLES = Path(__file__).parents[3] / "deploy/examples"
QUICK = {"deadlines": {"stepSeconds": 1, "saveSeconds": 1}}


def test_completion_leaves_everything_that_was_promised(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    training = recipe(table, epochs=3)
    training["data"]["test"] = {"path": str(tmp_path / "test.csv")}
    (tmp_path / "test.csv").write_text(table.read_text())
    with trainer(run_config(folder, training), tmp_path) as pod:
        address = pod.wait_for("started")["serving"]
        begun = Progress.model_validate_json(urlopen(f"{address}/progress").read())
        assert begun.state is State.STARTING
        assert pod.end() == ExitCode.COMPLETED, pod.text()
        message = pod.message()
    progress = message.progress
    assert message.outcome is Outcome.COMPLETED
    assert progress is not None
    assert (progress.state, progress.epoch, progress.step, progress.steps) == (State.FINISHED, 3, 18, 18)
    assert progress.test is not None
    assert progress.test.samples == 101
    assert progress.latest is not None
    assert progress.latest.validation_accuracy is not None
    assert message.saved_step == 18
    assert (folder / "step-18.1" / "manifest.json").exists()
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "report.json").read_text())["test"]["samples"] == 101

    # The same attempt again, and another TrainingJob with the same recipe: both are done before torch is imported.
    for uid, expected in (("uid-1", Outcome.COMPLETED), ("uid-2", Outcome.ALREADY_COMPLETED)):
        with trainer(run_config(folder, training, 2, uid=uid), tmp_path) as pod:
            assert pod.end() == ExitCode.COMPLETED
            assert pod.message().outcome is expected
            assert pod.message().saved_step == 18
            assert not pod.named("started")


def test_more_epochs_than_a_finished_training_had_go_on_from_its_end(table: Path, tmp_path: Path) -> None:
    for attempt, epochs in ((1, 3), (2, 5)):
        config = run_config(tmp_path / "c", recipe(table, epochs=epochs), attempt, uid=f"uid-{attempt}")
        with trainer(config, tmp_path) as pod:
            assert pod.end() == ExitCode.COMPLETED, pod.text()
    (resumed,) = pod.named("resumed")
    assert resumed["step"] == 18
    assert resumed["exactness"] == "StepExact"
    assert len((tmp_path / "c" / "history.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize("ranks", [1, 2])
def test_numbers_that_explode(tmp_path: Path, ranks: int) -> None:
    table = write_table(tmp_path / "table.csv", 101, regression=True)
    lines = table.read_text().splitlines()
    # Of both signs, so that no activation can swallow them, and in every batch.
    table.write_text("\n".join([lines[0], *(f"{sign}1e38," * 6 + "1" for sign in ("", "-") * 50)]) + "\n")
    training = recipe(table, task="regression")
    training["data"] = {"path": str(table), "target": "target", "normalize": "none"}  # no row is held back
    training["model"]["dropout"] = 0.0
    del training["earlyStopping"]
    with trainer(run_config(tmp_path / "c", training), tmp_path, ranks) as pod:
        assert pod.end() == ExitCode.NON_FINITE, pod.text()
        assert pod.message().outcome is Outcome.NON_FINITE
        assert pod.message().message.startswith("a loss or a gradient"), "found only later, in the weights"
    assert not list((tmp_path / "c").glob("step-*"))


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_rank_that_hangs(table: Path, tmp_path: Path, ranks: int) -> None:
    config = run_config(tmp_path / "c", recipe(table, epochs=ENDLESS), **QUICK)
    with trainer(config, tmp_path, ranks) as pod:
        pod.wait_for_epoch(1)
        os.kill(pod.ranks()[ranks - 1], signal.SIGSTOP)
        assert pod.end() == ExitCode.HANG
        message = pod.message()
        assert (message.outcome, message.rank) == (Outcome.HANG, ranks - 1)
        assert f"rank {ranks - 1}: no step within " in message.message


def test_a_start_that_takes_too_long(table: Path, tmp_path: Path) -> None:
    config = run_config(tmp_path / "c", recipe(table), deadlines={"startSeconds": 3})
    with reserved_port() as port, trainer(config, tmp_path, PET_NNODES="2", PET_MASTER_PORT=str(port)) as pod:
        assert pod.end() == ExitCode.HANG
        assert pod.message().message.endswith("within 6 s (starting); a peer may be missing")


def test_a_rank_that_is_killed(table: Path, tmp_path: Path) -> None:
    with trainer(run_config(tmp_path / "c", recipe(table, epochs=ENDLESS)), tmp_path, ranks=2) as pod:
        pod.wait_for_epoch(1)
        os.kill(pod.ranks()[1], signal.SIGKILL)
        assert pod.end() == ExitCode.CRASH
        message = pod.message()
        assert message.rank == 1
        assert "SIGKILL" in message.message


def test_a_pod_whose_peer_dies(table: Path, tmp_path: Path) -> None:
    config = run_config(tmp_path / "c", recipe(table, epochs=ENDLESS))
    with (
        reserved_port() as port,
        trainer(config, tmp_path, PET_NNODES="2", PET_MASTER_PORT=str(port), PET_NODE_RANK="0") as survivor,
        trainer(config, tmp_path, PET_NNODES="2", PET_MASTER_PORT=str(port), PET_NODE_RANK="1") as victim,
    ):
        survivor.wait_for_epoch(1)
        os.kill(victim.process.pid, signal.SIGKILL)  # the kernel takes the ranks with it
        assert survivor.end() == ExitCode.PEER_LOST, survivor.text()
        assert survivor.message().outcome is Outcome.PEER_LOST
        saved = survivor.message().progress.checkpoint  # type: ignore[union-attr]
        assert saved is None or not saved.on_request


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"target": "nowhere"}, ["'nowhere'", "a, b, c"], id="missing target"),
        pytest.param({"features": ["z_*"]}, ["'z_*'", "a, b, c"], id="glob that matches nothing"),
        pytest.param({"path": "/nowhere/x.csv"}, ["/nowhere/x.csv"], id="missing file"),
    ],
)
def test_data_that_cannot_be_used(table: Path, tmp_path: Path, change: dict[str, object], words: list[str]) -> None:
    training = recipe(table)
    training["data"].update(change)
    with trainer(run_config(tmp_path / "c", training), tmp_path) as pod:
        assert pod.end() == ExitCode.DATA_ERROR
        message = pod.message()
        assert message.outcome is Outcome.DATA_ERROR
        assert all(word in message.message for word in words), message.message


def test_a_second_job_in_a_folder_waits_for_the_first_to_leave_but_not_for_ever(table: Path, tmp_path: Path) -> None:
    endless, second = recipe(table, epochs=1_000_000), {"uid": "uid-2", "name": "second"}
    with trainer(run_config(tmp_path / "c", endless), tmp_path) as first:
        first.wait_for_epoch(2)
        hasty = run_config(tmp_path / "c", recipe(table), deadlines={"saveSeconds": 1}, **second)
        with trainer(hasty, tmp_path) as pod:
            assert pod.end() == ExitCode.USER_ERROR
            assert pod.message().outcome is Outcome.FOLDER_IN_USE
            assert "TrainingJob default/job (attempt 1)" in pod.message().message
        with trainer(run_config(tmp_path / "c", endless, **second), tmp_path) as pod:
            pod.wait_for("waiting")
            pod.signal(signal.SIGTERM)
            assert pod.end() == ExitCode.STOPPED
            assert "before it began" in pod.message().message
        with trainer(run_config(tmp_path / "c", endless, 2, **second), tmp_path) as pod:
            pod.wait_for("waiting", lambda event: "default/job" in event["reason"])
            first.signal(signal.SIGTERM)
            assert first.end() == ExitCode.STOPPED, "the first has noticed nothing"
            assert pod.wait_for("resumed")["step"] == first.message().saved_step


def test_a_folder_of_another_recipe(table: Path, tmp_path: Path) -> None:
    with trainer(run_config(tmp_path / "c", recipe(table, epochs=3)), tmp_path) as pod:
        assert pod.end() == ExitCode.COMPLETED
    other = recipe(table, epochs=3, model={"type": "mlp", "hiddenUnits": [9]})
    with trainer(run_config(tmp_path / "c", other, 2), tmp_path) as pod:
        assert pod.end() == ExitCode.USER_ERROR
        assert pod.message().outcome is Outcome.CHECKPOINT_MISMATCH
        assert "training.model.dropout" in pod.message().message
        assert str(tmp_path / "c") in pod.message().message


def test_a_folder_that_refuses_us(table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with trainer(run_config(tmp_path / "file" / "c", recipe(table)), tmp_path) as pod:
        assert pod.end() == ExitCode.USER_ERROR
        message = pod.message()
        assert message.outcome is Outcome.VOLUME_NOT_WRITABLE
        assert f"as user {os.geteuid()}" in message.message
        assert "fsGroup" in message.message


def test_a_model_without_a_place_is_told_before_the_training(table: Path, tmp_path: Path) -> None:
    config = run_config(tmp_path / "c", recipe(table, export={"path": f"{table}/model"}))
    with trainer(config, tmp_path) as pod:
        assert pod.end() == ExitCode.USER_ERROR
        assert "training.export.path" in pod.message().message
        assert not pod.named("epoch")


def test_checkpoints_of_which_none_is_whole(table: Path, tmp_path: Path) -> None:
    (tmp_path / "c" / "step-5.1").mkdir(parents=True)
    with trainer(run_config(tmp_path / "c", recipe(table), 2), tmp_path) as pod:
        assert pod.end() == ExitCode.NO_VALID_CHECKPOINT
        assert pod.message().outcome is Outcome.CHECKPOINT_CORRUPT


def test_a_manifest_that_is_not_understood(tmp_path: Path) -> None:
    """Such as that of an operator of another release: the pod's last word still tells the operator what is wrong."""
    newer = '{"uid": "uid-1", "attempt": 3, "training": {"alchemy": true}}'
    with trainer(None, tmp_path, TRAININGJOB_RUN=newer) as pod:
        assert pod.end() == ExitCode.USER_ERROR
        assert "training.alchemy" in pod.text()
        message = pod.message()
        assert (message.uid, message.attempt, message.outcome) == ("uid-1", 3, Outcome.USER_ERROR)
        assert "operator's release" in message.message
        assert "training.alchemy" in message.message
    with trainer(None, tmp_path, TRAININGJOB_RUN="{") as pod:
        assert pod.end() == ExitCode.USER_ERROR


def whole(checkpoints: Path) -> list[Path]:
    return [path for path in checkpoints.glob("step-*") if (path / "manifest.json").exists()]


def test_a_full_disk(table: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: what is larger than 4 KiB cannot be written."""
    training = recipe(table, epochs=ENDLESS, model={"type": "mlp", "hiddenUnits": [64, 64]})
    with trainer(run_config(tmp_path / "c", training), tmp_path) as pod:
        wait_for(lambda: len(whole(tmp_path / "c")) >= 2, "two checkpoints")
        (rank,) = pod.ranks().values()
        resource.prlimit(rank, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        failed = pod.wait_for("save failed")
        address = pod.wait_for("started")["serving"]

        def progress() -> Progress:
            return Progress.model_validate_json(urlopen(f"{address}/progress").read())

        assert progress().checkpoint_problem
        before = progress().step
        wait_for(lambda: progress().step > before + 20, "training to go on")
        assert len(whole(tmp_path / "c")) >= 2, f"{failed['problem']}: the old checkpoints are gone"

        resource.prlimit(rank, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for(lambda: progress().checkpoint_problem is None, "the next save to succeed")

        resource.prlimit(rank, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        pod.signal(signal.SIGTERM)
        assert pod.end() == ExitCode.NOT_SAVED
        assert pod.message().outcome is Outcome.NOT_SAVED


def test_a_manifest_without_a_cluster(table: Path, tmp_path: Path) -> None:
    """Two processes of one machine; Ctrl-C pauses, the same command goes on."""
    manifest = tmp_path / "job.yaml"
    manifest.write_text(
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: other}\n---\n"
        + json.dumps(
            {
                "apiVersion": "trainingjob.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": "local"},
                "spec": {
                    "processesPerNode": 2,
                    "training": recipe(Path("/data/table.csv"), epochs=40),
                    "checkpoint": {"volume": {"claimName": "any"}},
                },
            }
        )
    )
    arguments = ("--config", str(manifest), "--mount", f"/data={table.parent}", "--checkpoints", str(tmp_path / "c"))
    with trainer(None, tmp_path, arguments=arguments) as pod:
        pod.wait_for_epoch(3)
        pod.signal(signal.SIGINT)
        assert pod.end() == ExitCode.STOPPED, pod.text()
        assert pod.message().saved_step is not None
    with trainer(None, tmp_path, arguments=arguments) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
        assert pod.named("resumed")[0]["exactness"] == "Bitwise"
    assert (tmp_path / "c" / "default" / "local" / "report.json").exists()


@pytest.mark.parametrize(
    ("name", "measure", "least"),
    [pytest.param("iris", "accuracy", 0.9, id="iris"), pytest.param("diabetes", "r2", 0.3, id="diabetes")],
)
def test_an_example_trains_without_a_cluster_and_is_done_the_second_time(
    tmp_path: Path, name: str, measure: str, least: float
) -> None:
    arguments = ("--config", str(EXAMPLES / f"{name}.yaml"), "--checkpoints", str(tmp_path))
    folder = tmp_path / "default" / name
    with trainer(None, tmp_path, arguments=arguments) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
        first = pod.message()
    assert f"in {folder}: model, curves.png" in pod.text()
    report = json.loads((folder / "report.json").read_text())
    assert report["test"][measure] > least
    assert {path.name for path in (folder / "model").iterdir()} >= {"model.safetensors", "model.json"}

    with trainer(None, tmp_path, arguments=arguments) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
        again = pod.message()
        assert not pod.named("started")
    assert again.message == f"training was already done in {folder}: {first.message}"
    assert (again.outcome, again.saved_step) == (first.outcome, first.saved_step)
