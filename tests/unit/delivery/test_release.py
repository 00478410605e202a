"""The release workflow says who may do what; the work is in scripts that run on any machine."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingjob_api.contract import RELEASE

SCRIPTS = sorted(Path("deploy/release").glob("*.sh"))
WORKFLOW: dict[Any, Any] = yaml.safe_load(Path(".github/workflows/release.yaml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_stops_at_the_first_error(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert run("bash", "-n", str(script)).returncode == 0
    assert "set -euo pipefail" in script.read_text()


def test_every_script_of_the_workflow_is_there_and_every_target_too() -> None:
    text = "\n".join(step.get("run", "") for step in STEPS)
    called = {Path(name) for name in re.findall(r"deploy/release/[\w.-]+", text)}
    within = {
        Path("deploy/release") / name
        for path in SCRIPTS
        for name in re.findall(r"release/([\w-]+\.sh)", path.read_text())
    }
    assert called <= set(SCRIPTS)
    assert called | within | {Path("deploy/release/check.sh")} == set(SCRIPTS), "a script that nobody runs"
    targets = set(re.findall(r"^([\w-]+):", Path("Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([\w-]+)", text)) <= targets


def test_what_others_wrote_is_taken_by_its_content() -> None:
    others = [step["uses"] for step in STEPS if "uses" in step]
    assert others
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in others)


def test_rights_are_given_job_by_job() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in WORKFLOW["jobs"]["check"]
    assert WORKFLOW["jobs"]["publish"]["needs"] == "images"
    assert "${{" not in "".join(step.get("run", "") for step in STEPS), "values reach a shell as variables only"


def test_one_version_is_released_with_notes_and_no_other() -> None:
    assert run("deploy/release/version.sh", f"v{RELEASE}").stdout.strip() == RELEASE
    assert len(run("deploy/release/notes.sh").stdout.splitlines()) > 1
    other = run("deploy/release/version.sh", "v9.9.9")
    assert other.returncode == 1
    assert "v9.9.9" in other.stderr


def test_signatures_are_for_digests() -> None:
    refused = run("deploy/release/sign.sh", "ghcr.io/trainingjob/operator:latest")
    assert refused.returncode == 2
    assert "by digest" in refused.stderr
