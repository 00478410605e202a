"""Names of jobs complete from the cluster in each shell, as `trainingjob completion SHELL` says."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pexpect
import pytest

from support.product import Trainings
from support.terminal import Terminal

SHELLS = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], "source <(trainingjob completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "source <(trainingjob completion zsh)"),
    "fish": (["fish", "--no-config", "-i"], "trainingjob completion fish | source"),
}
TYPED = {
    "a name": ("trainingjob pause mnis", "mnist-wide"),
    "a command": ("trainingjob descr", "describe"),
    "an option": ("trainingjob wait mnist-wide --timeo", "--timeout"),
    "a namespace": ("trainingjob list -n kube-sys", "kube-system"),
    "a file": ("trainingjob submit -f wine.y", "wine.yaml"),
}


@contextmanager
def shell(terminal: Terminal, name: str) -> Iterator[pexpect.spawn]:
    command, setup = SHELLS[name]
    process = terminal.program(*command)
    try:
        process.sendline("echo rea''dy")
        process.expect("ready")
        process.sendline(f"{setup}; echo com''pletes")
        process.expect("completes")
        yield process
    finally:
        process.close(force=True)


@pytest.mark.parametrize("name", SHELLS)
def test_names_commands_options_and_files_complete(name: str, terminal: Terminal, trainings: Trainings) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    trainings.submit("mnist-wide", suspend=True)
    (terminal.folder / "wine.yaml").touch()
    with shell(terminal, name) as process:
        for typed, wanted in TYPED.values():
            process.send(f"{typed}\t")
            process.expect(wanted[len(typed.split()[-1]) :])
            process.sendcontrol("u")
