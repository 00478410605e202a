"""The page of all commands is what the command line says."""

import re
import runpy
from pathlib import Path
from typing import Any

from trainingjob_cli.app import app

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE: dict[str, Any] = runpy.run_path(str(DOCS / "cli_reference.py"))


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / "cli-reference.md").read_text() == REFERENCE["markdown"](), "run make cli-reference"


def test_the_guide_names_commands_that_there_are() -> None:
    known = {command.name for command in app.registered_commands}
    text = (DOCS / "cli.md").read_text()
    named = set(re.findall(r"(?:^|`|\| |if |then |<\()trainingjob ([a-z]+)", text, re.MULTILINE))
    assert named <= known
    assert known - named <= {"get"}
