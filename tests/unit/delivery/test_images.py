"""What images are made of: their list of contents, the lock without a GPU's libraries, and what Dockerfiles promise."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from images.install import blocks, version_of_torch, without_cuda
from images.sbom import debian_packages, document, python_packages

LOCKS = sorted(Path("requirements").glob("*.txt"))
LOCK = """\
aiohttp==3.14.5 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
nvidia-cudnn-cu13==9.26.0.51 ; sys_platform == 'linux' \\
    --hash=sha256:{a}
pywin32==311 ; sys_platform == 'win32' \\
    --hash=sha256:{a}
Typing_Extensions==4.16.0 ; python_full_version >= '3.11' and platform_machine == 'x86_64' \\
    --hash=sha256:{a}
torch==2.15.0 \\
    --hash=sha256:{b}
""".format(a="a" * 64, b="b" * 64)
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Status: not a field

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def test_packages_of_other_systems_are_not_in_the_list() -> None:
    found = {each["purl"]: each for each in python_packages(LOCK, "x86_64")}
    assert list(found) == [
        "pkg:pypi/aiohttp@3.14.5",
        "pkg:pypi/nvidia-cudnn-cu13@9.26.0.51",
        "pkg:pypi/typing-extensions@4.16.0",
        "pkg:pypi/torch@2.15.0",
    ]
    assert [each["value"] for each in found["pkg:pypi/aiohttp@3.14.5"]["properties"]] == ["a" * 64, "b" * 64]
    assert "pkg:pypi/typing-extensions@4.16.0" not in [each["purl"] for each in python_packages(LOCK, "aarch64")]


def test_only_what_dpkg_has_installed_is_in_the_list() -> None:
    (found,) = debian_packages(STATUS)
    assert found["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_line_of_a_lock_is_a_package_with_hashes(lock: Path) -> None:
    text = lock.read_text()
    assert "".join(blocks(text)) == text
    named = [each["name"] for machine in ("x86_64", "aarch64") for each in python_packages(text, machine)]
    assert len(blocks(text)) >= len(set(named)) > 10
    assert all(each["properties"] for each in python_packages(text, "x86_64"))


def test_the_document_is_the_same_each_time_and_refers_to_what_is_in_it() -> None:
    command = [sys.executable, "deploy/images/sbom.py", "ghcr.io/x/operator:1", "requirements/operator.txt"]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == second
    made = json.loads(first)
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch("urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["serialNumber"])
    known = {made["metadata"]["component"]["bom-ref"], *(each["bom-ref"] for each in made["components"])}
    (root,) = made["dependencies"]
    assert {root["ref"], *root["dependsOn"]} == known
    other = document("ghcr.io/x/operator:2", made["components"])
    assert other["serialNumber"] != made["serialNumber"]


def test_a_trainer_for_cpus_has_no_library_of_nvidia() -> None:
    lock = Path("requirements/trainer.txt").read_text()
    names = {block.partition("==")[0] for block in blocks(without_cuda(lock))}
    assert names >= {"numpy", "pyarrow", "sympy", "jinja2"}, "PyTorch's own dependencies stay"
    assert not {name for name in names if re.match("torch$|nvidia|triton|cuda", name)}
    assert f'"torch=={version_of_torch(lock)}"' in Path("pyproject.toml").read_text()


@pytest.mark.parametrize("path", sorted(Path().glob("*/*Dockerfile")), ids=str)
def test_an_image_needs_neither_root_nor_a_shell_to_run(path: Path) -> None:
    text = path.read_text()
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 65532:65532$", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["python", "-m", "\w+"\]$', last, re.MULTILINE)
    assert not re.search(r"^(CMD|HEALTHCHECK|ADD|VOLUME|RUN apt)\b", last, re.MULTILINE)
    for label in ("title", "description", "source", "documentation", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in last
    assert "--require-hashes" in text or "install.py" in text
    assert "unchecked-hash" in text, "files are written at one time, whatever compiled files remember"
