"""helm: the one on PATH, or one built from the Go module that helm/go.mod pins, once, into the cache."""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from local_cluster.binaries import find_kubectl
from local_cluster.build import find_go
from local_cluster.settings import cache_directory

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/chart"
_MODULE = Path(__file__).parent / "helm"
_PACKAGE = "helm.sh/helm/v4"

Object = dict[str, Any]


@functools.cache
def find_helm() -> Path:
    """A helm 4; building takes some minutes."""
    if (found := shutil.which("helm")) and helm_version(Path(found)).startswith("v4."):
        return Path(found)
    version = re.search(rf"{_PACKAGE} (v\S+)", (_MODULE / "go.mod").read_text())
    assert version
    program = cache_directory() / f"helm-{version[1]}"
    if not program.exists():
        _build(program, version[1])
    return program


def helm_version(program: Path) -> str:
    return subprocess.run(
        [program, "version", "--template", "{{.Version}}"], capture_output=True, text=True, check=False
    ).stdout


def _build(program: Path, version: str) -> None:
    print(f"building {program.name} from its Go module: once, some minutes", file=sys.stderr, flush=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    part = program.with_name(f".{program.name}.{os.getpid()}")
    internal = f"{_PACKAGE}/internal/version"
    flags = f"-s -w -X {internal}.version={version}"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    command = [find_go(), "build", "-trimpath", "-ldflags", flags, "-o", str(part), f"{_PACKAGE}/cmd/helm"]
    subprocess.run(command, cwd=_MODULE, env=environment, check=True)
    part.replace(program)


def kustomized(folder: Path) -> list[Object]:
    """What `kubectl apply -k` would apply."""
    command = [find_kubectl(), "kustomize", str(folder)]
    return objects_of(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def objects_of(text: str) -> list[Object]:
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


def by_name(objects: list[Object]) -> dict[str, Object]:
    """Each once, as kind namespace/name."""
    named = {
        f"{each['kind']} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}": each for each in objects
    }
    assert len(named) == len(objects), "two objects of one name"
    return named


if __name__ == "__main__":
    print(find_helm())
