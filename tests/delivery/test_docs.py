"""What the docs tell people to type into helm is something that this chart takes."""

import re
import shlex
import subprocess

import pytest

from delivery.programs import ROOT, find_helm

ONLY_WITH_A_CLUSTER = {
    "--create-namespace",
    "--force-conflicts",
    "--install",
    "--reset-then-reuse-values",
    "--server-side=true",
    "--take-ownership",
}


def commands() -> list[str]:
    """Every `helm install` and `helm upgrade` in a block of the README or the docs, its lines joined."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [
        block for page in pages for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return sorted({line for line in lines if re.match("helm (install|upgrade) ", line)})


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_docs_names_what_the_chart_has(command: str) -> None:
    _, *arguments = shlex.split(command, comments=True)
    rendered = ["template", *(each for each in arguments[1:] if each not in ONLY_WITH_A_CLUSTER)]
    done = subprocess.run([find_helm(), *rendered], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_there_are_some() -> None:
    assert len(commands()) >= 5
