"""The worked example in a real git repository, and a deployer that brings what is committed into the cluster."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.binaries import find_kubectl
from local_cluster.cluster import LocalCluster
from support.cluster import kubectl_of
from support.kubectl import Kubectl
from support.product import Training

ROOT = Path(__file__).parents[2]
EXAMPLE = Path("deploy/gitops/example")
MANAGER = "--field-manager=deployer"


@dataclass(frozen=True)
class Repository:
    """A clone in which people work."""

    folder: Path

    @classmethod
    def of_the_example(cls, folder: Path) -> "Repository":
        for part in (EXAMPLE, Path("deploy/kustomize")):
            shutil.copytree(ROOT / part, folder / part)
        repository = cls(folder)
        repository("init", "--quiet", "--initial-branch=main")
        repository.commit("Train the moons")
        return repository

    def __call__(self, *args: str) -> str:
        people = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        command = ["git", "-C", str(self.folder), *people, *args]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / EXAMPLE / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def commit(self, words: str) -> None:
        self("add", "--all")
        self("commit", "--quiet", "--message", words)


@dataclass(frozen=True)
class Environment:
    """One folder of the repository, and the namespace that follows it as Argo CD and Flux would make it."""

    repository: Repository
    clone: Path
    kubectl: Kubectl

    @property
    def training(self) -> Training:
        return Training(self.kubectl, "moons")

    def deploy(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Fetch what is committed, and apply it."""
        shutil.rmtree(self.clone, ignore_errors=True)
        self.repository("clone", "--quiet", str(self.repository.folder), str(self.clone))
        return self.kubectl.run("apply", "--server-side", MANAGER, *options, "-k", str(self._manifests))

    def difference(self) -> "subprocess.CompletedProcess[str]":
        """Between what is committed and what the API server has stored; exit code 0: there is none."""
        return self.kubectl.run("diff", "--server-side", MANAGER, "-k", str(self._manifests))

    def manifest(self) -> dict[str, Any]:
        """The TrainingJob as it is committed."""
        built = subprocess.run([find_kubectl(), "kustomize", self._manifests], capture_output=True, check=True)
        manifest: dict[str, Any] = yaml.safe_load(built.stdout)
        return manifest

    @property
    def _manifests(self) -> Path:
        return self.clone / EXAMPLE / self.kubectl.namespace


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.of_the_example(tmp_path / "repository")


@pytest.fixture
def environment(
    request: pytest.FixtureRequest, cluster: LocalCluster, operator: object, repository: Repository, tmp_path: Path
) -> Iterator[Environment]:
    """The one that the test is parametrized with."""
    kubectl = kubectl_of(cluster.kubeconfig, request.param)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": request.param}}
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(namespace))
    yield Environment(repository, tmp_path / "clone", kubectl)
    kubectl("delete", "trainingjob", "moons", "--ignore-not-found", "--cascade=foreground")
