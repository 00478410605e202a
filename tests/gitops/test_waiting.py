"""What Flux and all that go by kstatus make of a TrainingJob in every state: their own libraries say it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.go_programs import built
from unit.delivery.recorded import recorded

FLUX = Path(__file__).parents[2] / "deploy/gitops/flux/training.yaml"

WAITING = [
    *("new", "another-controller", "starting", "restoring", "unschedulable", "queued", "preempted-by-queue"),
    *("pausing", "resuming", "spec-changed", "restarting", "stale-generation"),
]
STOPPED = [
    *("image-pull-failed", "forbidden", "node-lost", "ending-late", "invalid-spec"),
    *("user-error", "restarts-spent", "deadline-exceeded"),
]
AS_SPECIFIED = ["running", "running-save-failed", "running-is-healthy", "paused", "paused-not-saved", "never-started"]
OVER = ["succeeded", "stopped-early"]

EXPECTED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(WAITING, ("InProgress", "InProgress")),
    **dict.fromkeys(STOPPED, ("Failed", "Failed")),
    **dict.fromkeys(AS_SPECIFIED, ("Current", "InProgress")),
    **dict.fromkeys(OVER, ("Current", "Current")),
    "deleting": ("Terminating", "InProgress"),
}
"""By state: kstatus, which is Current for what is as its spec wants it, and the expressions, which wait for the end."""


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Any]:
    checks = yaml.safe_load(FLUX.read_text())["spec"]["healthCheckExprs"]
    question = {"objects": recorded(), "expressions": {"complete": checks[0]}}
    program = built("gitops-checks", Path(__file__).parent / "checks")
    answer = subprocess.run([program], input=json.dumps(question), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_every_state_is_judged(verdicts: dict[str, Any]) -> None:
    assert sorted(verdicts) == sorted(EXPECTED)


@pytest.mark.parametrize("state", EXPECTED)
def test_verdicts(verdicts: dict[str, Any], state: str) -> None:
    verdict = verdicts[state]
    assert (verdict["kstatus"], verdict["flux"]["complete"]) == EXPECTED[state]
