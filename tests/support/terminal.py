"""Someone who types commands of `trainingjob` in a terminal."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pexpect
import yaml

from support.kubectl import Kubectl
from support.waiting import PATIENCE

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Terminal:
    """In a folder of theirs, which is their home as well."""

    kubectl: Kubectl
    folder: Path

    def typed(self, *args: str) -> pexpect.spawn:
        """A command that runs, in 100 columns."""
        return self.program(sys.executable, "-m", "trainingjob_cli", *args)

    def program(self, program: str, *args: str) -> pexpect.spawn:
        options = {"env": self.environment, "cwd": str(self.folder), "encoding": "utf-8", "dimensions": (40, 100)}
        return pexpect.spawn(program, list(args), timeout=PATIENCE, **options)

    def says(self, *args: str, code: int = 0) -> str:
        """What it has printed once it has ended."""
        return ended(self.typed(*args), code)

    def piped(self, *args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "trainingjob_cli", *args]
        return subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TERM": "xterm-256color",
            "KUBECONFIG": str(self.folder / "kubeconfig"),
        }


def ended(process: pexpect.spawn, code: int = 0) -> str:
    process.expect(pexpect.EOF)
    process.close()
    text = plain(process.before)
    assert process.exitstatus == code, text
    return text


def plain(text: str) -> str:
    """Without what moves the cursor and changes colours."""
    return _ESCAPES.sub("", text).replace("\r\n", "\n")


def terminal_in(kubectl: Kubectl, folder: Path) -> Terminal:
    """Its kubeconfig's context names kubectl's namespace."""
    config = yaml.safe_load(kubectl.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = kubectl.namespace
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return Terminal(kubectl, folder)
