"""What is applied as one file is what kustomize makes of deploy/base, and the chart leads to the same files."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from local_cluster.binaries import find_kubectl

DEPLOY = Path("deploy")


def test_the_one_file_is_the_base() -> None:
    command = [find_kubectl(), "kustomize", str(DEPLOY / "base")]
    base = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert by_name((DEPLOY / "install.yaml").read_text()) == by_name(base), "run make install-yaml"


def by_name(text: str) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.load_all(text, yaml.CSafeLoader)}


def test_the_chart_reads_the_files_that_kustomize_reads() -> None:
    links = {path.name: path.resolve() for path in (DEPLOY / "chart/files").iterdir()}
    folders = Path("crds"), *(DEPLOY / name for name in ("base", "components", "gateway", "monitoring"))
    assert links.items() >= {folder.name: folder.resolve() for folder in folders}.items()
    assert all(path.is_symlink() for path in (DEPLOY / "chart/files").iterdir())
