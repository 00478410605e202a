"""What `pip install trainingjob[extra]` gives, from a wheel built here into environments that hold nothing else."""

import os
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from delivery.programs import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORT_CLIENT = ["python", "-c", "import trainingjob_client"]
COMMANDS = {
    "client": [IMPORT_CLIENT],
    "cli": [["trainingjob", "--help"], ["kubectl-trainingjob", "--help"], ["kubectl_complete-trainingjob", "pau"]],
    "gateway": [["trainingjob-gateway", "--help"], ["python", "-m", "training_gateway", "--help"]],
    "operator": [["trainingjob-operator", "--help"], ["python", "-m", "training_operator", "--help"]],
    "trainer": [["trainer", "--help"], ["trainer", "--config", str(ROOT / "deploy/examples/iris.yaml")]],
}
"""What an extra is for; every command of the project is one of these."""
FOR_OTHERS = {"local", "bench", "dev"}
"""Extras without a command of their own."""


def uv(*arguments: str | Path) -> None:
    program = os.environ.get("UV") or shutil.which("uv")
    assert program, "uv is needed: make test-delivery, or UV=/path/to/uv"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--quiet", "--wheel", "--out-dir", folder)
    return next(folder.glob("*.whl"))


def run(environment: Path, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """In an environment and a folder that know nothing of this checkout."""
    variables = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    program = [str(environment / "bin" / command[0]), *command[1:]]
    return subprocess.run(program, capture_output=True, text=True, check=False, cwd=folder, env=variables)


def environment(folder: Path, wheel: Path, extra: str) -> Path:
    """An environment with the wheel, in the versions of the lock."""
    made = folder / "environment"
    uv("venv", "--quiet", made)
    wanted = f"trainingjob{f'[{extra}]' if extra else ''} @ file://{wheel}"
    lock = ROOT / "requirements/all.txt"
    uv("pip", "install", "--quiet", "--python", made / "bin/python", "--constraint", lock, wanted)
    return made


@pytest.mark.parametrize("extra", COMMANDS)
def test_the_commands_of_an_extra_start(extra: str, wheel: Path, tmp_path: Path) -> None:
    made = environment(tmp_path, wheel, extra)
    for command in COMMANDS[extra]:
        done = run(made, command, tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_without_an_extra_there_are_the_models(wheel: Path, tmp_path: Path) -> None:
    made = environment(tmp_path, wheel, "")
    done = run(made, ["python", "-m", "trainingjob_api", "crd"], tmp_path)
    assert done.stdout == (ROOT / "crds/trainingjob.yaml").read_text(), done.stderr


def test_every_command_and_every_extra_is_known_here() -> None:
    assert set(PROJECT["optional-dependencies"]) == set(COMMANDS) | FOR_OTHERS
    assert set(PROJECT["scripts"]) == {each[0] for commands in COMMANDS.values() for each in commands} - {"python"}


def test_the_wheel_holds_the_packages_and_says_what_a_page_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
    packages = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert packages == {Path(package).name for package in configured["packages"]}
    assert not [name for name in names if name.endswith((".pyc", ".so")) or "/test_" in name]
    for field in (
        "License-Expression: Apache-2.0",
        "Requires-Python: >=3.11",
        "Project-URL: Documentation",
        "Classifier: ",
    ):
        assert field in metadata
