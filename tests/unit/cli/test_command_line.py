"""What the command line says by itself, without a cluster."""

import subprocess
import sys
from pathlib import Path

import pytest

from trainingjob_cli.__main__ import main
from trainingjob_cli.app import app
from trainingjob_cli.complaints import code_of, words_of
from trainingjob_cli.exits import ExitCode
from trainingjob_client.errors import (
    AlreadyExistsError,
    ClientError,
    EndedError,
    NotConfiguredError,
    NotFoundError,
    RefusedError,
    WaitTimeoutError,
)


def test_help_imports_nothing_that_takes_long() -> None:
    """It is to be there at once, and is shown by the shell's completion as well."""
    code = (
        "import sys, contextlib\n"
        "from trainingjob_cli.__main__ import main\n"
        "sys.argv = ['trainingjob', '--help']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "slow = {'torch', 'kubernetes', 'aiohttp', 'pydantic', 'matplotlib', 'plotext', 'rich', 'numpy', 'yaml'}\n"
        "print('SLOW', sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "SLOW []"
    assert "describe" in done.stdout


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["lst"], 2, "error: No such command 'lst'. Did you mean 'list'?; see trainingjob --help"),
        (["pause"], 2, "error: Missing argument 'NAME...'; see trainingjob pause --help"),
        (["wait", "a", "--timeout", "soon"], 2, "'soon' is no time such as 90s"),
        (["list", "-o", "xml"], 2, "'xml' is not one of json, yaml, name, wide; see trainingjob list --help"),
        (["list"], 1, "error: no cluster can be reached by ~/.kube/config: there is no such file; name a cluster by"),
    ],
)
def test_what_is_wrong_is_one_line(
    args: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["trainingjob", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    out, said = capsys.readouterr()
    assert ended.value.code == code
    assert out == ""
    assert words in said
    assert said.count("\n") == 1


def test_every_command_says_what_it_does() -> None:
    assert all(command.callback is not None and command.callback.__doc__ for command in app.registered_commands)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (NotFoundError("there is no trainingjob a"), ExitCode.FAILED, "there is no trainingjob a; X list -A shows"),
        (AlreadyExistsError("a is there"), ExitCode.FAILED, "a is there; another name, or first X delete"),
        (EndedError("a has ended as Failed", "Failed"), ExitCode.JOB_FAILED, "a has ended as Failed"),
        (WaitTimeoutError("a is not complete"), ExitCode.TIMED_OUT, "a is not complete; X describe says why"),
        (RefusedError("spec.nodes:\n  too many"), ExitCode.FAILED, "spec.nodes: too many"),
        (NotConfiguredError("no cluster"), ExitCode.FAILED, "no cluster; name a cluster by KUBECONFIG"),
        (ClientError("what else"), ExitCode.FAILED, "what else"),
    ],
)
def test_errors_have_a_next_step_and_a_code(error: Exception, code: ExitCode, words: str) -> None:
    assert words_of(error, "X").startswith(words)
    assert code_of(error) == code
