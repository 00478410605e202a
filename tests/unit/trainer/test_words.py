"""What is read from the environment and files, and what is shown: configuration, history, metrics, signs of life."""

import gzip
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from subprocess import run
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import torch
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from support.trainer import recipe, run_config
from trainer import command_line, config
from trainer.config import launch_from
from trainer.data.dataset import DataFacts
from trainer.data.scaling import Scaling
from trainer.errors import UserError
from trainer.export import export, load
from trainer.learning.plan import plan_for
from trainer.manifest import Places, documents_in, launch_from_manifest
from trainer.models import Shapes, build_model
from trainer.pod.pulse import PulseWriter, read_pulse
from trainer.reporting import exporter
from trainer.reporting.agenda import Agenda, Task
from trainer.reporting.board import Activity, Board
from trainer.reporting.history import History
from trainingjob_api.progress import EpochMetrics, Finishing, Progress, State
from trainingjob_api.progress import TestMetrics as OfTest
from trainingjob_api.spec.training import Training

TABLE = Path("/data/table.csv")
PLAN = plan_for(Training.model_validate(recipe(TABLE)), 96)  # 12 epochs of 6 steps


def environment(**changes: str) -> dict[str, str]:
    run_text = run_config(Path("/checkpoints"), recipe(TABLE)).model_dump_json(by_alias=True)
    return {"TRAININGJOB_RUN": run_text, **changes}


def test_a_pod_reads_its_place() -> None:
    pod = launch_from(environment(PET_NNODES="3", PET_NPROC_PER_NODE="2", PET_NODE_RANK="1", PET_MASTER_PORT="23456"))
    assert (pod.world_size, list(pod.local_ranks), pod.port) == (6, [2, 3], 23456)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({}, "TRAININGJOB_RUN is not set", id="outside of a cluster"),
        pytest.param({"TRAININGJOB_RUN": "{"}, "TRAININGJOB_RUN", id="no JSON"),
        pytest.param(environment(PET_NNODES="two"), "PET_NNODES must be a number, not 'two'", id="no number"),
    ],
)
def test_a_wrong_environment_is_named(variables: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        launch_from(variables)


MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: data}
data: {train.csv: "a,y\\n1,p\\n"}
binaryData: {other.csv: YSx5Cg==}
---
apiVersion: trainingjob.dev/v1alpha1
kind: TrainingJob
metadata: {name: one, namespace: team}
spec:
  nodes: 2
  processesPerNode: 3
  training: {task: classification, data: {path: /data/train.csv, target: 'y'}, model: {type: mlp}}
  checkpoint: {volume: {claimName: any}}
  pod:
    volumes: [{name: d, configMap: {name: data}}]
    volumeMounts: [{name: d, mountPath: /data}]
"""


def launch(tmp_path: Path, text: str, name: str | None = None) -> config.Launch:
    (tmp_path / "job.yaml").write_text(text)
    return launch_from_manifest(tmp_path / "job.yaml", name, Places(tmp_path / "c", {}, tmp_path / "scratch"))


def test_a_manifest_brings_its_data_along(tmp_path: Path) -> None:
    local = launch(tmp_path, MANIFEST)
    assert (local.nodes, local.local_world_size) == (1, 6)
    assert local.run.checkpoint_path == str(tmp_path / "c" / "team" / "one")
    assert local.mounts.locate("/data/train.csv").read_text() == "a,y\n1,p\n"
    assert local.mounts.locate("/data/other.csv").read_text() == "a,y\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a: [", "is not YAML", id="no YAML"),
        pytest.param("kind: Pod", "one TrainingJob is needed, it holds none", id="no job"),
        pytest.param(MANIFEST + "---" + MANIFEST.split("---")[1], "it holds one, one", id="two jobs"),
        pytest.param(MANIFEST.replace("nodes: 2", "nodes: two"), "spec.nodes", id="wrong field"),
        pytest.param(MANIFEST.replace("YSx5Cg==", "?"), "binaryData", id="no base64"),
        pytest.param(MANIFEST.replace("YSx5Cg==", "ä"), "binaryData", id="base64 that is not ASCII"),
        pytest.param(MANIFEST.replace("YSx5Cg==", "5"), "ConfigMap data: binaryData.other.csv", id="binary number"),
        pytest.param(MANIFEST.replace("{train.csv:", "{m: 5, train.csv:"), "ConfigMap data: data.m", id="number"),
        pytest.param(re.sub("data: {train.*}", "data: hello", MANIFEST), "ConfigMap data: data", id="text as data"),
        pytest.param(MANIFEST.replace("metadata: {name: data}", ""), "metadata.name", id="ConfigMap without a name"),
        pytest.param(re.sub("metadata: {name: one.*}", "metadata: foo", MANIFEST), "metadata", id="text as metadata"),
        pytest.param(MANIFEST + "x: .inf", "line 19, column 4", id="no number of JSON"),
        pytest.param(MANIFEST.replace("nodes: 2", "nodes: 2\n  nodes: 2"), "nodes is given twice", id="a field twice"),
        pytest.param(
            MANIFEST.replace("{name: data}}]", "{name: data, items: [{key: train.csv, path: ../x}]}}]"),
            "not possible",
            id="way out",
        ),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        launch(tmp_path, text)


def test_a_fresh_start_has_a_folder_for_each_recipe(tmp_path: Path) -> None:
    fresh = MANIFEST.replace("volume: {claimName: any}", "startFresh: true, volume: {claimName: any}")
    one, again, other = (
        launch(tmp_path, text) for text in (fresh, fresh, fresh.replace("{type: mlp}", "{type: mlp, hiddenUnits: [7]}"))
    )
    assert one.run.checkpoint_path == again.run.checkpoint_path
    assert len({str(tmp_path / "c" / "team" / "one"), one.run.checkpoint_path, other.run.checkpoint_path}) == 3


def test_a_program_has_no_variants(tmp_path: Path) -> None:
    path, places = tmp_path / "job.yaml", Places(tmp_path / "c", {}, tmp_path / "scratch")
    path.write_text(re.sub("training: {.*", "script: {path: /code/train.py}", MANIFEST))
    with pytest.raises(UserError, match="this job has a script"):
        launch_from_manifest(path, None, places, {"epochs": 2})


def test_a_field_that_is_merged_may_be_given_again(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, z: 2}\nb: {<<: *a, x: 3}\nc: [*a, {x: 1}, {x: 2}]\n")
    assert documents_in(path)[0]["b"] == {"x": 3, "z": 2}


def test_a_manifest_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(b"kind: TrainingJob\n# \xe4\n")
    with pytest.raises(UserError, match=r"job\.yaml is not UTF-8: row 2"):
        launch_from_manifest(path, None, Places(tmp_path / "c", {}, tmp_path / "scratch"))


@pytest.mark.parametrize(
    "before_compare",
    [
        pytest.param(0, id="all after compare"),
        pytest.param(2, id="the manifest before compare"),
        pytest.param(4, id="the manifest and a mount before compare"),
        pytest.param(6, id="all before compare"),
    ],
)
def test_options_of_a_manifest_may_stand_before_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before_compare: int
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    manifest = tmp_path / "job.yaml"
    manifest.write_text(MANIFEST)
    words = ["--config", str(manifest), "--mount", "/a=/here/a", "--mount", "/b=/here/b"]
    words = [*words[:before_compare], "compare", "--vary", "seed=1,2", *words[before_compare:]]
    local = command_line._launch(command_line._parser().parse_args(words), tmp_path, tmp_path / "scratch")
    assert [str(local.mounts.locate(path)) for path in ("/a/x", "/b/x")] == ["/here/a/x", "/here/b/x"]


def test_history_forgets_what_is_done_again(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.keep_until(0)
    for epoch in (1, 2, 3):
        history.append(EpochMetrics(epoch=epoch, train_loss=1 / epoch))
    assert history.keep_until(2) == 3
    history.append(EpochMetrics(epoch=3, train_loss=9.0))
    assert [(line.epoch, line.train_loss) for line in History(tmp_path).epochs()] == [(1, 1.0), (2, 0.5), (3, 9.0)]


def test_a_line_that_a_crash_has_cut_is_forgotten(tmp_path: Path) -> None:
    history = History(tmp_path)
    for epoch in (1, 2):
        history.append(EpochMetrics(epoch=epoch))
    path = tmp_path / "history.jsonl"
    path.write_text(path.read_text()[:-5])
    assert [line.epoch for line in History(tmp_path).epochs()] == [1]


def test_a_line_that_does_not_fit_waits_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(tmp_path)
    history.append(EpochMetrics(epoch=1))
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:7]))
    history.append(EpochMetrics(epoch=2))
    with pytest.raises(OSError, match="No space"):
        history.flush()
    monkeypatch.setattr(os, "write", real)
    assert [line.epoch for line in History(tmp_path).epochs()] == [1]
    history.append(EpochMetrics(epoch=3))
    assert [line.epoch for line in History(tmp_path).epochs()] == [1, 2, 3]


def test_what_is_scraped() -> None:
    board = Board(run_config(Path("/c"), recipe(TABLE)), world_size=2, plan=PLAN)
    address = exporter.serve(board, None)
    progress = Progress.model_validate_json(urlopen(f"{address}/progress").read())
    assert (progress.state, progress.steps, progress.latest) == (State.STARTING, 72, None)
    names = {line.split()[0] for line in urlopen(f"{address}/metrics").read().decode().splitlines()}
    assert names & {"trainingjob_epochs", "trainingjob_epoch", "trainingjob_step_total"} == {"trainingjob_epochs"}

    board.enter(State.TRAINING)
    for _ in range(3):
        board.stepped(16)
    board.epoch_done(
        EpochMetrics(epoch=1, train_loss=0.5, validation_loss=0.75, validation_accuracy=0.9, extra={"val.bleu": 0.25})
    )
    text = urlopen(f"{address}/metrics").read().decode()
    for line in (
        "trainingjob_epoch 1.0",
        "trainingjob_epochs 12.0",
        "trainingjob_step_total 3.0",
        "trainingjob_samples_total 48.0",
        'trainingjob_loss{split="train"} 0.5',
        'trainingjob_loss{split="validation"} 0.75',
        'trainingjob_accuracy_ratio{split="validation"} 0.9',
        'trainingjob_user_metric{name="val.bleu"} 0.25',
        "trainingjob_step_duration_seconds_count 2.0",
    ):
        assert line in text.splitlines(), line
    assert 'world_size="2"' in text
    assert "_created" not in text
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{address}/etc/passwd")
    refused.value.close()


def test_open_metrics_and_gzip_are_for_those_who_ask() -> None:
    address = exporter.serve(Board(run_config(Path("/c"), recipe(TABLE)), State.TRAINING, plan=PLAN), None)
    accept = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
    with urlopen(Request(f"{address}/metrics", headers=accept)) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = gzip.decompress(answer.read()).decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"trainingjob", "trainingjob_step", "trainingjob_activity_seconds"} <= names


def test_time_is_counted_by_what_was_done() -> None:
    activity = Activity(State.STARTING, 100.0)
    for state, now in ((State.TRAINING, 105), (State.EVALUATING, 125), (State.TRAINING, 127), (State.STOPPING, 137)):
        activity = activity.followed_by(state, now)
    assert activity.until(138) == {State.STARTING: 5, State.TRAINING: 30, State.EVALUATING: 2, State.STOPPING: 1}
    board = Board(run_config(Path("/c"), recipe(TABLE)), plan=PLAN)
    board.enter(State.TRAINING)
    assert board.activity().keys() == {State.STARTING, State.TRAINING}


FULL_EPOCH = {name: 0.5 for name in EpochMetrics.model_fields if name not in ("epoch", "extra")}


def test_every_measure_of_every_split_can_be_scraped() -> None:
    board = Board(run_config(Path("/c"), recipe(TABLE, precision="bfloat16")), plan=PLAN)
    board.device_memory = lambda: 4096
    board.latest = EpochMetrics.model_validate({"epoch": 1, **FULL_EPOCH})
    fields = [name for name in OfTest.model_fields if name != "samples"]
    board.test = OfTest.model_validate({"samples": 3, **dict.fromkeys(fields, 0.25)})
    assert list(board.awaited(iter([1, 2]))) == [1, 2]
    text = urlopen(f"{exporter.serve(board, None)}/metrics").read().decode()
    names = {"accuracy": "accuracy_ratio"}
    for field in fields:
        name = f"trainingjob_{names.get(field, field)}"
        assert f'{name}{{split="test"}} 0.25' in text
        assert f'{name}{{split="validation"}} 0.5' in text
        assert (f'{name}{{split="train"}} 0.5' in text) == (field in ("loss", "accuracy", "mae", "mse"))
    numbers = dict(line.split(" ") for line in text.splitlines() if line[0] != "#" and "{" not in line)
    assert float(numbers["trainingjob_memory_bytes"]) > 2**20
    assert float(numbers["trainingjob_device_memory_bytes"]) == 4096
    assert 0 < float(numbers["trainingjob_data_wait_seconds_total"]) < 1
    assert 'precision="bfloat16"' in text


@pytest.mark.parametrize(
    ("epoch", "known_epochs", "steps", "replayed"),
    [
        pytest.param(1, 1, 4, 0, id="nothing was done after the checkpoint"),
        pytest.param(1, 3, 4, 4, id="all of them so far"),
        pytest.param(1, 3, 20, 11, id="up to where the earlier attempt is known to have come"),
        pytest.param(3, 3, 20, 0, id="with larger batches until then"),
        pytest.param(0, 3, 20, 0, id="with smaller batches until then"),
    ],
)
def test_steps_that_are_done_again(epoch: int, known_epochs: int, steps: int, replayed: int) -> None:
    board = Board(run_config(Path("/c"), recipe(TABLE)), plan=PLAN)
    board.resumed(7, epoch, known_epochs)
    for _ in range(steps):
        board.stepped(16)
    assert (board.step, board.steps_replayed) == (7 + steps, replayed)


def test_what_comes_after_the_last_epoch_counts_as_remaining_and_is_told() -> None:
    board = Board(run_config(Path("/c"), recipe(TABLE)), plan=PLAN)
    board.agenda = Agenda([Task("testing", rows=90), Task("drawing", 2.0), Task("exporting", 4.0)])
    board.step = 6
    board.epoch_done(EpochMetrics(epoch=1, seconds_per_epoch=2.0, samples_per_second=10.0))
    assert board.seconds_remaining == pytest.approx(22.0 + 3.0 + 6.0)
    assert board.progress().finishing is None
    with board.agenda.during("testing"):
        assert board.seconds_remaining == pytest.approx(9.0, abs=0.1)
    board.enter(State.FINISHING)
    assert board.progress().finishing == Finishing(doing="drawing", done=1, tasks=3)
    with board.agenda.during("drawing"), board.agenda.during("exporting"):
        assert str(board.agenda.shown) == "drawing, exporting (2/3)"
        assert board.seconds_remaining == pytest.approx(6.0, abs=0.1)
    board.enter(State.FINISHED)
    assert (board.seconds_remaining, board.progress().finishing) == (0.0, None)


def test_remaining_time_follows_the_pace() -> None:
    board = Board(run_config(Path("/c"), recipe(TABLE)), plan=PLAN)
    assert board.seconds_remaining is None
    board.step = 6
    board.epoch_done(EpochMetrics(epoch=1, seconds_per_epoch=2.0))
    assert board.seconds_remaining == pytest.approx(22.0)


def test_signs_of_life(tmp_path: Path) -> None:
    path = tmp_path / "pulse"
    assert read_pulse(path) is None
    writer = PulseWriter(path)
    assert read_pulse(path) is None, "nothing has been said yet"
    writer.beat(State.RESTORING, 5, within=100)
    pulse = read_pulse(path)
    assert pulse is not None
    assert (pulse.pid, pulse.has_stepped, pulse.state, pulse.step) == (os.getpid(), False, State.RESTORING, 5)
    assert not pulse.is_overdue(time.monotonic())
    assert pulse.is_overdue(time.monotonic() + 101)


def test_a_beat_is_never_seen_without_its_deadline(tmp_path: Path) -> None:
    """A supervisor that looks while a beat is written must not take the rank for dead."""
    writer = PulseWriter(tmp_path / "pulse")
    writer.beat(State.TRAINING, 0, within=1000)
    child = os.fork()
    while child == 0:
        writer.beat(State.TRAINING, 1, within=1000)
    pulses = [read_pulse(tmp_path / "pulse") for _ in range(20_000)]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert all(pulse is not None and not pulse.is_overdue(time.monotonic()) for pulse in pulses)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_an_exported_model_takes_and_gives_plain_values(tmp_path: Path, task: str) -> None:
    torch.manual_seed(1)
    training = Training.model_validate(recipe(TABLE, task=task))
    labels = ("ant", "bee", "cat") if task == "classification" else None
    target = None if labels else Scaling(torch.tensor(100.0).numpy(), torch.tensor(10.0).numpy())
    inputs = Scaling(torch.tensor([1.0, 2.0]).double().numpy(), torch.tensor([2.0, 4.0]).double().numpy())
    model = build_model(training.model, Shapes((2,), 3 if labels else 1)).eval()
    export(tmp_path / "model", model, training, DataFacts(("a", "b"), (2,), "y", inputs, labels, target))

    predict = load(tmp_path / "model")
    (answer,) = predict([[3.0, 10.0]])
    with torch.no_grad():
        outputs = model(torch.tensor([[1.0, 2.0]]))[0]
    if labels:
        assert answer == labels[int(outputs.argmax())]
    else:
        assert answer == pytest.approx(100.0 + 10.0 * float(outputs[0]), rel=1e-5)
    assert json.loads((tmp_path / "model" / "model.json").read_text())["features"] == ["a", "b"]


def python(code: str) -> str:
    result = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_signals_are_blocked_before_anything_slow_is_imported() -> None:
    """PID 1 loses a signal that it neither blocks nor handles."""
    code = """
import signal, sys
from trainer.__main__ import main
block = signal.pthread_sigmask
signal.pthread_sigmask = lambda *mask: (print('pydantic' in sys.modules, flush=True), block(*mask))[1]
sys.argv = ['trainer', '--help']
main()
"""
    assert python(code).splitlines()[0] == "False"


def test_neither_the_command_nor_what_a_rank_has_first_imports_torch() -> None:
    code = "import trainer.command_line, trainer.rank, trainer.pod.surroundings, sys; print('torch' in sys.modules)"
    assert python(code) == "False"
