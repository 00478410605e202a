"""The whole product under test: the real operator with its own rights, real trainers, and one TrainingJob at a time."""

import csv
import io
import json
import os
import random
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local_cluster import binaries
from local_cluster.cluster import LocalCluster
from quickstart.kubectl import Kubectl as QuietKubectl
from quickstart.product import GatewayProcess, OperatorProcess, install
from support.kubectl import Kubectl
from support.manifests import Manifest, manifest
from support.waiting import PATIENCE, wait_for
from trainingjob_api.contract import ATTEMPT_LABEL, JOB_NAME_LABEL, METRICS_PORT, PROGRESS_LIMIT
from trainingjob_api.history import History, TrainingHistory
from trainingjob_api.progress import Progress
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import ConditionType, Phase, TrainingJobStatus

ROOT = Path(__file__).parents[2]
ENDLESS = 1_000_000
"""Epochs of a job that is not meant to end by itself."""


AT_LEISURE = {
    "training__model": {"type": "custom", "entrypoint": "leisurely:network", "hiddenUnits": [8]},
    "pod__env": [{"name": "PYTHONPATH", "value": "/data"}],
}
"""Changes that make an epoch take a fifth of a second, of which the processor is needed for little."""


@pytest.fixture(scope="module")
def operator(cluster: LocalCluster) -> Iterator[OperatorProcess]:
    """The operator as deploy/base installs it, with the token of its own ServiceAccount."""
    install_product(cluster)
    process = OperatorProcess(cluster)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def gateway(operator: OperatorProcess, cluster: LocalCluster) -> Iterator[GatewayProcess]:
    """The HTTP API beside it, with the rights that deploy/gateway gives it."""
    process = GatewayProcess(cluster)
    process.start()
    yield process
    process.stop()


def install_product(cluster: LocalCluster) -> None:
    """What `kubectl apply -k deploy/base` installs, but for the Deployment."""
    os.chdir(ROOT)
    install(QuietKubectl(binaries.find_kubectl(), cluster.kubeconfig, Console(quiet=True)))


@dataclass(frozen=True)
class Training:
    """One TrainingJob of a test."""

    kubectl: Kubectl
    name: str

    def get(self) -> TrainingJob:
        return TrainingJob.model_validate(self.kubectl.get("trainingjobs", self.name))

    @property
    def status(self) -> TrainingJobStatus:
        return self.get().status

    def wait(self, holds: Callable[[TrainingJobStatus], Any], what: str) -> TrainingJobStatus:
        """The first status for which it holds; the failure shows the last one."""
        seen: list[TrainingJobStatus] = []

        def look() -> TrainingJobStatus | None:
            seen[:] = [self.status]
            return seen[0] if holds(seen[0]) else None

        try:
            return wait_for(look, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(seen[0].to_json_object(), indent=1)}") from None

    def wait_for_phase(self, phase: Phase) -> TrainingJobStatus:
        return self.wait(lambda status: status.phase == phase, f"phase {phase}")

    def wait_for_end(self) -> TrainingJobStatus:
        return self.wait(lambda status: status.is_finished, "the end")

    def wait_for_step(self, step: int) -> Progress:
        """Rank 0 of the current attempt says that it is beyond this step."""
        return self.wait_for_progress(lambda progress: progress.step > step, f"a step after {step}")

    def wait_for_progress(self, holds: Callable[[Progress], bool], what: str) -> Progress:
        def look() -> Progress | None:
            found = self.progress()
            return found if found and holds(found) else None

        return wait_for(look, what)

    def progress(self) -> Progress | None:
        """What rank 0 of the running attempt says; None when nobody answers."""
        first = next((pod for pod in self.pods() if pod["metadata"]["labels"].get(INDEX_LABEL) == "0"), None)
        address = first["status"].get("podIP") if first else None
        if not address:
            return None
        try:
            with urllib.request.urlopen(f"http://{address}:{METRICS_PORT}/progress", timeout=2) as answer:
                return Progress.model_validate_json(answer.read(PROGRESS_LIMIT))
        except (OSError, ValueError):
            return None

    def suspend(self, wish: bool = True) -> None:
        self.kubectl.patch("trainingjobs", self.name, {"spec": {"suspend": wish}})

    def pause(self) -> TrainingJobStatus:
        self.suspend()
        return self.wait(lambda status: status.is_true(ConditionType.SUSPENDED), "Suspended")

    def delete(self) -> None:
        self.kubectl("delete", "trainingjob", self.name, "--cascade=foreground", f"--timeout={PATIENCE:.0f}s")

    def history(self) -> History | None:
        """What is written of its epochs; None: nothing yet."""
        try:
            return TrainingHistory.model_validate(self.kubectl.get("traininghistories", self.name)).history()
        except LookupError:
            return None

    def pods(self, attempt: int | None = None) -> list[dict[str, Any]]:
        selector = f"{JOB_NAME_LABEL}={self.name}" + (f",{ATTEMPT_LABEL}={attempt}" if attempt else "")
        running = self.kubectl.list("pods", selector)
        return [pod for pod in running if pod["status"].get("phase") in ("Pending", "Running")]


INDEX_LABEL = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True)
class Trainings:
    """Makes TrainingJobs in one namespace; all of them learn from the same small table."""

    kubectl: Kubectl

    def submit(self, name: str = "job", claim: str | None = None, **changes: Any) -> Training:
        """Apply a job, see `manifest` for the changes; without a claim it gets one that goes with it."""
        template = {"size": "1Gi", "accessModes": ["ReadWriteMany"], "retain": False}
        volume = {"claimName": claim} if claim else {"claimTemplate": template}
        self.kubectl.apply(training_manifest(name, checkpoint__volume=volume, **changes))
        return Training(self.kubectl, name)

    def claim(self, name: str) -> str:
        spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
        self.kubectl.apply(body)
        return name


def training_manifest(name: str, **changes: Any) -> Manifest:
    """A small network; unless it is told when to end, it trains at leisure for as long as it is let."""
    to_be_watched = {"training__epochs": ENDLESS, **AT_LEISURE}
    to_end = {"training__model": {"type": "mlp", "hiddenUnits": [8], "dropout": 0.1}}
    return manifest(
        name,
        **{
            **(to_end if {"training", "training__epochs"} & set(changes) else to_be_watched),
            "checkpoint__every": {"seconds": 2},
            "restart": {"backoffSeconds": 1},
            "deadlines": {"saveSeconds": 20},
            **changes,
        },
    )


@pytest.fixture
def trainings(operator: OperatorProcess, kubectl: Kubectl) -> Trainings:
    """TrainingJobs in the test's own namespace."""
    return trainings_in(kubectl)


def trainings_in(kubectl: Kubectl) -> Trainings:
    """In a namespace that has no data for them yet."""
    data = {
        **{name: table_of(311) for name in ("train.csv", "test.csv")},
        "leisurely.py": Path(__file__).with_name("leisurely.py").read_text(),
    }
    kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "data"}, "data": data})
    return Trainings(kubectl)


def table_of(rows: int) -> str:
    """Two clouds of points that a small network can tell apart, and an odd last batch."""
    draw, out = random.Random(0), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["a", "b", "c", "y"])
    for _ in range(rows):
        label = draw.randrange(2)
        writer.writerow([*(f"{draw.gauss(label, 0.7):.4f}" for _ in range(3)), label])
    return out.getvalue()
