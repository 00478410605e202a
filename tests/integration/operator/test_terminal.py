"""`trainingjob` in a terminal, on a real control plane: one job, and the commands of a day."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pexpect
import pytest
import yaml

from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training
from support.kubectl import Kubectl
from support.terminal import Terminal, ended, terminal_in
from trainingjob_api.history import AttemptStart, History, Row, TrainingHistory
from trainingjob_api.resource import Metadata


@pytest.fixture
def terminal(kubectl: Kubectl, tmp_path: Path) -> Terminal:
    return terminal_in(kubectl, tmp_path)


@contextmanager
def _running(process: pexpect.spawn) -> Iterator[pexpect.spawn]:
    try:
        yield process
    finally:
        process.close(force=True)


def test_a_day_with_a_job(operator: OperatorProcess, training: Training, terminal: Terminal) -> None:
    manifest = training.manifest(training__epochs=120)
    (terminal.folder / "job.yaml").write_text(yaml.safe_dump(manifest))
    assert "job is in order (nothing was made)" in terminal.says("submit", "-f", "job.yaml", "--dry-run")
    assert "job is made" in terminal.says("submit", "-f", "job.yaml")
    again = terminal.says("submit", "-f", "job.yaml", code=1)
    assert re.search(r"error: trainingjob job is in namespace \S+ already .*; another name, or first", again)

    with _running(terminal.typed("watch", "job")) as watching, _running(terminal.typed("logs", "-f", "job")) as log:
        watching.expect("Running")
        watching.expect(r"epoch \d+/120")
        assert terminal.says("list").splitlines()[0].split()[:3] == ["NAME", "PHASE", "EPOCH"]
        page = terminal.says("describe", "job")
        for words in ("Phase:      Running", "Conditions:", "Pods:", "AttemptStarted", "trainingjob pause job"):
            assert words in page

        assert re.search(r"job is paused\. Step \d+ is saved", terminal.says("pause", "job", "--wait"))
        watching.expect("Paused")
        log.expect("leaving with 43")
        assert "error: job has no pod now (Paused)" in terminal.says("logs", "job", code=1)
        late = terminal.says("wait", "job", "--timeout", "0.1s", code=4)
        assert "error: job is not complete after 0.1 s (Paused); trainingjob describe says why" in late
        assert re.search(
            r"job (trains|has trained) on from step \d+ \(Bitwise\)", terminal.says("resume", "job", "--wait")
        )
        assert "job is complete (Succeeded)" in terminal.says("wait", "job", "--for", "complete")
        assert "Succeeded" in ended(watching)
        assert "leaving with 0" in ended(log)
    assert "error: job is over (Succeeded): make a new" in terminal.says("pause", "job", code=1)
    told = terminal.says("delete", "job", "--delete-checkpoints")
    assert "job is deleted. Claim job-checkpoints is deleted with it." in told
    assert "No trainingjobs found in namespace" in terminal.says("list")


def test_a_training_that_fails_is_no_command_that_does(
    operator: OperatorProcess, training: Training, terminal: Terminal
) -> None:
    manifest = training.manifest(fail="0:2:44")
    (terminal.folder / "job.yaml").write_text(yaml.safe_dump(manifest))
    told = terminal.says("submit", "-f", "job.yaml", "--follow", code=3)
    assert re.search(r"job +Failed", told)
    assert "asked to fail with 44" in told
    assert "error: job has ended as Failed" in terminal.says("wait", "job", code=3)
    assert "Correct the manifest or the program" in terminal.says("describe", "job")


def test_what_is_no_terminal_gets_plain_text(training: Training, terminal: Terminal) -> None:
    """And curves come from a history that is there without any pod."""
    training.create("kept", suspend=True)
    training.create("other", suspend=True)
    for name, losses in (("kept", [4.0, 2.0, 1.0, 1.5]), ("other", [3.0, 2.5])):
        _keep(terminal.kubectl, name, losses)

    listed = terminal.piped("list", "-o", "name")
    assert listed.stdout.split() == ["trainingjob.trainingjob.dev/kept", "trainingjob.trainingjob.dev/other"]
    assert yaml.safe_load(terminal.piped("get", "kept", "-o", "yaml").stdout)["spec"]["suspend"] is True
    rows = terminal.piped("history", "kept").stdout.splitlines()
    assert rows[0].split() == ["EPOCH", "ATTEMPT", "STEP", "TRAIN", "LOSS", "VAL", "LOSS"]
    assert rows[3].split() == ["3", "2", "30", "1", "2", "*"]
    drawn = terminal.piped("plot", "kept")
    assert "Loss" in drawn.stdout
    assert "\x1b" not in drawn.stdout
    compared = terminal.says("compare", "kept", "other", "-o", "both.svg")
    assert re.search(r"kept +Paused +4 +3 +1 +2", compared)
    assert "kept" in (terminal.folder / "both.svg").read_text()
    assert "FILE must end" not in compared
    wrong = terminal.piped("plot", "kept", "-o", "a.txt")
    assert (wrong.returncode, wrong.stderr) == (1, "error: a.txt must end in one of .png, .svg, .pdf\n")


def _keep(kubectl: Kubectl, name: str, losses: Sequence[float]) -> None:
    """As the operator does."""
    uid = kubectl.get("trainingjobs", name)["metadata"]["uid"]
    rows = tuple(
        Row(epoch, 1 if epoch < 3 else 2, epoch * 10, None, {"trainLoss": loss, "validationLoss": 2 * loss})
        for epoch, loss in enumerate(losses, 1)
    )
    kept = History(uid, rows, len(rows), attempts=(AttemptStart(1, 1), AttemptStart(2, 3)), best=3)
    history = TrainingHistory.of(kept, Metadata(name=name, namespace=kubectl.namespace), datetime.now(UTC))
    path = f"/apis/trainingjob.dev/v1alpha1/namespaces/{kubectl.namespace}/traininghistories"
    body = {**history.to_json_object(), "metadata": {"name": name}}
    status, answer = kubectl.request("POST", path, body=body)
    assert status == 201, answer
