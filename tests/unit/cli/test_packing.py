"""A program becomes a ConfigMap and a TrainingJob."""

import subprocess
import sys
from pathlib import Path

import pytest

from trainingjob_api.resource import TrainingJob
from trainingjob_cli.packing import LIMIT, Wanted, manifests, pack
from trainingjob_client.errors import ManifestError


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_goes_with_its_folders_and_without_what_is_made_anew(tmp_path: Path) -> None:
    folder = _write(
        tmp_path / "My Net",
        {"train.py": b"pass", "lib/a.py": b"", "lib/__pycache__/a.pyc": b"", ".git/config": b"", "table.bin": b"\xff"},
    )
    packed = pack(folder)
    assert (packed.name, packed.main, sorted(packed.files)) == (
        "my-net",
        "train.py",
        ["lib/a.py", "table.bin", "train.py"],
    )

    config_map, job = manifests(packed, "net", Wanted(args=["--epochs", "3"], nodes=2, gpus=1, mounts=[("data", "/d")]))
    assert config_map["data"] == {"train.py": "pass", "lib_2f_a.py": ""}
    assert config_map["binaryData"] == {"table.bin": "/w=="}
    read = TrainingJob.model_validate(job)
    assert read.spec.script is not None
    assert (read.spec.script.path, read.spec.script.args) == ("/program/train.py", ["--epochs", "3"])
    assert (read.spec.nodes, read.spec.local_world_size) == (2, 1)
    items = job["spec"]["pod"]["volumes"][0]["configMap"]["items"]
    assert {"key": "lib_2f_a.py", "path": "lib/a.py"} in items
    assert [mount["mountPath"] for mount in job["spec"]["pod"]["volumeMounts"]] == ["/program", "/d"]


def test_a_single_file_takes_nothing_along(tmp_path: Path) -> None:
    _write(tmp_path, {"2nd_try.py": b"pass", "other.py": b""})
    packed = pack(tmp_path / "2nd_try.py")
    assert (packed.name, list(packed.files)) == ("job-2nd-try", ["2nd_try.py"])
    _, job = manifests(packed, "a", Wanted(claim="mine"))
    assert TrainingJob.model_validate(job).spec.checkpoint.volume.claim_name == "mine"


def test_what_is_to_be_installed_runs_in_front_of_the_program(tmp_path: Path) -> None:
    _write(tmp_path, {"main.py": b"import sys; print(sys.argv[1:], __name__)", "needs.txt": b""})
    packed = pack(tmp_path).with_requirements(tmp_path / "needs.txt")
    _, job = manifests(packed, "a", Wanted(args=["-x"]))
    assert job["spec"]["script"] == {"path": "/program/with_requirements.py", "args": ["main.py", "-x"]}
    there = _write(tmp_path / "there", packed.files)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/.done").touch()
    command = [sys.executable, str(there / "with_requirements.py"), "main.py", "-x"]
    done = subprocess.run(command, capture_output=True, text=True, env={"TMPDIR": str(tmp_path)})
    assert (done.stdout, done.stderr) == ("['-x'] __main__\n", "")


@pytest.mark.parametrize(
    ("files", "path", "words"),
    [
        ({"a.txt": b""}, "a.txt", "is no Python program"),
        ({"other.py": b""}, "", "none of train.py, main.py, __main__.py is in"),
        ({}, "gone.py", "cannot be read: No such file"),
        ({"main.py": b"", "data.csv": b"x" * LIMIT + b"y"}, "", r"largest: data.csv\): put data into a claim"),
    ],
)
def test_what_cannot_be_packed_is_named(files: dict[str, bytes], path: str, words: str, tmp_path: Path) -> None:
    _write(tmp_path, files)
    with pytest.raises(ManifestError, match=words):
        pack(tmp_path / path)
