"""A program of the user's own under the operator: one that reports goes on exactly after a pause; about one that does
not, nothing is claimed."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from local_cluster.cluster import LocalCluster
from support.manifests import ABSENT
from support.product import Training, Trainings
from support.waiting import wait_for
from trainingjob_api.progress import State
from trainingjob_api.status import ConditionType, Phase, Reason, TrainingJobStatus

EXAMPLE = Path(__file__).parents[3] / "deploy/examples/iris-script.yaml"
STEPS = 8
"""In one epoch of the example."""
MORE = 5
"""Epochs after the pause."""


def write_program(trainings: Trainings, program: dict[str, Any]) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "program"}, **program}
    trainings.kubectl.apply(body)


def submit(trainings: Trainings, program: dict[str, Any], **changes: Any) -> Training:
    """A job that runs train.py of a ConfigMap with this content."""
    write_program(trainings, program)
    pod = {
        "volumes": [{"name": "program", "configMap": {"name": "program"}}],
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    }
    script = {"path": "/program/train.py"}
    return trainings.submit(**{"training": ABSENT, "script": script, "pod": pod, **changes})


def reason_of(status: TrainingJobStatus, type: ConditionType) -> tuple[Reason, str]:
    condition = status.condition(type)
    assert condition is not None
    return condition.reason, condition.message


def the_example(epochs: int) -> dict[str, Any]:
    """Its program and data. How many epochs it makes is read from a file, so that it stays the same program."""
    content, _ = yaml.safe_load_all(EXAMPLE.read_text())
    text = content["data"]["train.py"].replace("run.epochs(60)", 'run.epochs(int((FOLDER / "epochs").read_text()))')
    return {"binaryData": content["binaryData"], "data": {"train.py": text, "epochs": str(epochs)}}


def test_the_example_is_paused_in_an_epoch_and_ends_as_asked(trainings: Trainings) -> None:
    job = submit(trainings, the_example(epochs=1_000_000))
    reached = job.wait_for_progress(lambda told: told.state is State.TRAINING and told.epoch > 1, "an epoch").step
    paused = job.pause()
    assert paused.pause is not None
    assert (paused.pause.lost_steps, paused.pause.evidence) == (0, "PodReport")
    saved = paused.pause.saved_step or 0
    assert saved >= reached
    assert job.pods() == []
    assert paused.progress is not None

    epochs = paused.progress.epoch + MORE
    write_program(trainings, the_example(epochs))
    job.suspend(False)
    end = job.wait_for_end()
    assert (end.phase, end.attempt, end.restarts) == (Phase.SUCCEEDED, 2, 0)
    assert end.resume is not None
    assert (end.resume.from_step, end.resume.exactness, end.resume.reason) == (saved, "Bitwise", None)
    assert end.progress is not None
    assert (end.progress.epoch_text, end.progress.percent) == (f"{epochs}/{epochs}", 100)
    assert end.progress.step == epochs * STEPS
    assert end.metrics is not None
    assert end.metrics.latest is not None
    latest = end.metrics.latest
    assert (latest.epoch, latest.train_loss is not None) == (epochs, True)
    assert (latest.validation_accuracy or 0) > 0.5


PLAIN = """
    import sys
    import time
    from pathlib import Path

    out, number = Path(sys.argv[1]), 0
    with (out / "beginnings").open("a") as file:
        file.write("begun\\n")
    while not (out / "enough").exists():
        number += 1
        (out / "counter").write_text(str(number))
        time.sleep(0.05)
"""


def test_of_a_program_that_knows_nothing_of_this_nothing_is_claimed(
    cluster: LocalCluster, trainings: Trainings
) -> None:
    out = cluster.claim_directory(trainings.kubectl.namespace, trainings.claim("out"))
    beginnings = out / "beginnings"
    job = submit(
        trainings,
        {"data": {"train.py": dedent(PLAIN)}},
        script={"path": "/program/train.py", "args": ["/out"]},
        pod__volumes=[
            {"name": "program", "configMap": {"name": "program"}},
            {"name": "out", "persistentVolumeClaim": {"claimName": "out"}},
        ],
        pod__volumeMounts=[{"name": "program", "mountPath": "/program"}, {"name": "out", "mountPath": "/out"}],
    )
    wait_for(lambda: (out / "counter").exists(), "its first turn")
    paused = job.pause()
    assert (paused.progress, paused.checkpoint, paused.phase) == (None, None, Phase.PAUSED)
    assert paused.pause is not None
    assert (paused.pause.saved_step, paused.pause.lost_steps, paused.pause.evidence) == (None, None, "PodReport")
    assert reason_of(paused, ConditionType.CHECKPOINT_AVAILABLE)[0] is Reason.NOT_REPORTED
    assert "what was lost is not known" in reason_of(paused, ConditionType.SUSPENDED)[1]

    job.suspend(False)
    wait_for(lambda: beginnings.read_text().count("begun") == 2, "its second beginning")
    (out / "enough").touch()
    end = job.wait_for_end()
    assert (end.phase, end.attempt, end.restarts) == (Phase.SUCCEEDED, 2, 0)
    assert end.is_true(ConditionType.COMPLETE)
    assert (end.progress, end.resume) == (None, None)


ECHO = """
    import json, os, sys
    from pathlib import Path
    words = {"args": sys.argv[2:], "tag": os.environ["RUN_TAG"], "pod": os.environ["POD_NAME"]}
    Path(sys.argv[1], "words").write_text(json.dumps(words))
"""


def test_arguments_and_variables_are_those_of_the_manifest(cluster: LocalCluster, trainings: Trainings) -> None:
    """Letter by letter, and more of them than fit into one variable of a process."""
    out = cluster.claim_directory(trainings.kubectl.namespace, trainings.claim("out"))
    args = ["US$$", "$(POD_NAME)", "^\\$(HOME)$", *(f"{number:04}".rjust(900, "x") for number in range(200))]
    job = submit(
        trainings,
        {"data": {"train.py": dedent(ECHO)}},
        script={"path": "/program/train.py", "args": ["/out", *args]},
        pod__env=[{"name": "RUN_TAG", "value": "run-$(POD_NAME)"}],
        pod__volumes=[
            {"name": "program", "configMap": {"name": "program"}},
            {"name": "out", "persistentVolumeClaim": {"claimName": "out"}},
        ],
        pod__volumeMounts=[{"name": "program", "mountPath": "/program"}, {"name": "out", "mountPath": "/out"}],
    )
    assert job.wait_for_end().phase == Phase.SUCCEEDED
    words = json.loads((out / "words").read_text())
    assert words["args"] == args
    assert words["tag"] == f"run-{words['pod']}"
