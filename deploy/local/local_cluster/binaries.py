"""Where the programs of the control plane come from: what is there already, else a build (see build.py).
Order: KUBEBUILDER_ASSETS, PATH, our cache; kubectl is a client and may be of any version, so PATH comes first."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local_cluster import build
from local_cluster.settings import cache_directory

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
KUBECTL = "kubectl"
MINIMUM = (1, 34)
"""Older API servers lack features that the manifests rely on."""


@dataclass(frozen=True)
class Binaries:
    """A folder that holds all four programs of the control plane, of one version."""

    folder: Path

    def path(self, program: str) -> str:
        return str(self.folder / program)


def find(report: build.Report = build.print_progress) -> Binaries:
    """The control plane's programs; built when they are nowhere, which takes minutes the first time."""
    if missing := to_build():
        build.build(missing, _cache(), report)
    return Binaries(_fit() or _cache())


def find_kubectl(report: build.Report = build.print_progress) -> Path:
    """kubectl, for the user; built when it is nowhere."""
    if found := _kubectl():
        return found
    if _missing(_cache(), (KUBECTL,)):
        build.build((KUBECTL,), _cache(), report)
    return _cache() / KUBECTL


def to_build() -> tuple[str, ...]:
    """The programs that are nowhere yet."""
    wanted = (*(() if _fit() else CONTROL_PLANE), *(() if _kubectl() else (KUBECTL,)))
    return _missing(_cache(), wanted)


def _fit() -> Path | None:
    """A folder outside of our cache that holds a control plane which will do."""
    folders = (folder for folder in _installed() if _missing(folder, CONTROL_PLANE) == ())
    return next((folder for folder in folders if _version(folder / "kube-apiserver") >= MINIMUM), None)


def _kubectl() -> Path | None:
    """One outside of our cache."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    path = os.pathsep.join(filter(None, [os.environ.get("PATH", os.defpath), assets]))
    found = shutil.which(KUBECTL, path=path)
    return Path(found) if found else None


def _installed() -> Iterator[Path]:
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        yield Path(assets).absolute()
    if program := shutil.which("kube-apiserver"):
        yield Path(program).parent


def _cache() -> Path:
    return cache_directory() / f"{build.KUBERNETES}-etcd-{build.ETCD}"


def _missing(folder: Path, programs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(program for program in programs if not os.access(folder / program, os.X_OK))


def _version(program: Path) -> tuple[int, ...]:
    """(major, minor) as the program states it; (0, 0) when it does not."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = re.search(r"v(\d+)\.(\d+)\.", said)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
