"""Some minutes of a cluster: trainings that end, pause, crash, wait and stall, and a Prometheus that looks on.

Tests ask that Prometheus, and pictures of the boards are drawn from it. Everything is real: control plane, operator,
trainers, the shipped scrape configuration and rules.
"""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local_cluster.cluster import LocalCluster
from local_cluster.settings import FAST, Settings
from pictures.prometheus import Prometheus
from quickstart import prometheus
from quickstart.product import OperatorProcess
from support.cluster import CAPACITY, kubectl_of
from support.kubectl import Kubectl
from support.manifests import ABSENT, Manifest, changed
from support.product import Training, install_product
from support.waiting import wait_for
from trainingjob_api.status import ConditionType, Phase

NAMESPACE = "ml"
PASS_SECONDS = 0.04
"""That a pass through the network takes in all trainings but the short one and the program."""
GONE_AFTER = 60.0
"""Seconds after which nothing is to be seen any more of a TrainingJob that was deleted."""
EXAMPLES = Path(__file__).parents[2] / "deploy/examples"
_NETWORK = {"type": "custom", "entrypoint": "slowly:network", "hiddenUnits": [64, 32], "dropout": 0.2}
_VOLUME = {"claimTemplate": {"size": "1Gi", "accessModes": ["ReadWriteMany"], "retain": False}}
Report = Callable[[str], None]


@dataclass
class Scenario:
    """What there is, and when what happened (name -> seconds since the epoch)."""

    cluster: LocalCluster
    kubectl: Kubectl
    prometheus: Prometheus
    scrape_seconds: int
    report: Report
    moments: dict[str, float] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    """Of the two TrainingJobs of one name, by "first" and "second"."""

    def note(self, what: str) -> None:
        self.moments[what] = time.time()
        self.report(what)

    def job(self, name: str) -> Training:
        return Training(self.kubectl, name)

    def until_seen(self, expr: str, what: str) -> None:
        """Until Prometheus has an answer."""
        wait_for(lambda: self.prometheus.now(expr), what, interval=1.0)

    def until_scraped(self, times: int) -> None:
        """Until it has looked so many times more."""
        moment = time.time()
        later = f"min(timestamp(trainingjob_operator_is_leader)) > {moment + (times - 1) * self.scrape_seconds:.0f}"
        self.until_seen(later, f"{times} scrapes")

    def until_epochs_later(self, name: str, epochs: int) -> None:
        """Until Prometheus has seen so many epochs more of it than it has now."""
        epoch = self.prometheus.value(f'max(trainingjob_epoch{{training_name="{name}"}})') or 0
        self.until_seen(f'trainingjob_epoch{{training_name="{name}"}} >= {epoch + epochs}', f"epochs of {name}")


@contextmanager
def started(directory: Path, scrape_seconds: int, report: Report = print) -> Iterator[Scenario]:
    """A cluster with the operator and a Prometheus; ended with all that runs on it."""
    program = prometheus.find()
    settings = Settings(timing=FAST, gpus=2, capacity=CAPACITY, witness=True)
    cluster = LocalCluster(directory, settings)
    operator = OperatorProcess(cluster)
    watching = prometheus.PrometheusProcess(cluster)
    try:
        cluster.start()
        install_product(cluster)
        operator.start()
        watching = prometheus.PrometheusProcess(cluster, program, operator.port, scrape_seconds)
        watching.start()
        kubectl = kubectl_of(cluster.kubeconfig, NAMESPACE)
        kubectl("create", "namespace", NAMESPACE)
        yield Scenario(cluster, kubectl, Prometheus(watching.address), scrape_seconds, report)
    finally:
        watching.stop()
        operator.stop()
        cluster.stop()


def example(name: str) -> tuple[Manifest, Manifest]:
    """Its data and its TrainingJob; networks that take their time lie beside the data."""
    data, job = yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text())
    slowly = Path(__file__).with_name("slowly.py").read_text()
    return changed(data, {"data": {**data.get("data", {}), "slowly.py": slowly}}), job


def slow(name: str, job: Manifest, epochs: int, **changes: Any) -> Manifest:
    """The same under another name and with a network that takes its time; keywords are as in `support.manifests`."""
    env = {"PYTHONPATH": "/data", "PASS_SECONDS": str(PASS_SECONDS), **changes.pop("env", {})}
    return changed(
        copy.deepcopy(job),
        {
            "metadata.name": name,
            "spec.nodes": 1,
            "spec.training.batchSize": 128,
            "spec.training.epochs": epochs,
            "spec.training.model": _NETWORK,
            "spec.training.earlyStopping": ABSENT,
            "spec.checkpoint": {"every": {"seconds": 2}, "volume": _VOLUME},
            "spec.restart": {"backoffSeconds": 1},
            "spec.pod.env": [{"name": key, "value": value} for key, value in env.items()],
            "spec.pod.resources": ABSENT,
            **{f"spec.{path.replace('__', '.')}": value for path, value in changes.items()},
        },
    )


def as_it_is(job: Manifest, **changes: Any) -> Manifest:
    """But for its volume and what it asks for of the node."""
    given = {f"spec.{path.replace('__', '.')}": value for path, value in changes.items()}
    return changed(job, {"spec.checkpoint.volume": _VOLUME, "spec.pod.resources": ABSENT, **given})


def _at_leisure(program: str, epochs: int) -> str:
    """The example's program, which takes its time and tells a number of its own."""
    for before, after in {
        "run.epochs(60)": f"run.epochs({epochs})",
        "loss.backward()": "__import__('time').sleep(0.1); loss.backward()",
        "run.report(": "run.report(learning_rate_left=scheduler.get_last_lr()[0] / 0.01, ",
    }.items():
        assert before in program, before
        program = program.replace(before, after)
    return program


def submit_all(scenario: Scenario, endless: int) -> None:
    """Everything that there is from the beginning."""
    apply = scenario.kubectl.apply
    (digits_data, digits), (diabetes_data, diabetes), (iris_data, iris) = map(
        example, ("digits", "diabetes", "iris-script")
    )
    iris_data["data"]["train.py"] = _at_leisure(iris_data["data"]["train.py"], endless)
    for data in (digits_data, diabetes_data, iris_data):
        apply(data)
    apply(as_it_is(digits, nodes=1, training__epochs=60))
    apply(as_it_is(changed(diabetes, {"metadata.name": "diabetes-done"}), training__epochs=20))
    apply(slow("digits-two-pods", digits, endless, nodes=2))
    apply(slow("digits-paused", digits, endless, training__optimizer__learningRate=0.001))
    lossy = {"training__optimizer": {"type": "sgd", "learningRate": 0.1}, "checkpoint__every": {"seconds": 3600}}
    apply(slow("digits-crashes", digits, endless, **lossy))
    apply(slow("digits-again", digits, 500, training__optimizer__learningRate=0.01))
    apply(slow("digits-queued", digits, endless, queue={"name": "team-a"}, training__model__hiddenUnits=[16]))
    apply(slow("digits-stalls", digits, endless, env={"PASSES_UNTIL_STALL": "200"}))
    apply(slow("digits-too-large", digits, 10, pod__resources={"limits": {"nvidia.com/gpu": "64"}}))
    apply(slow("diabetes", diabetes, endless, training__batchSize=64))
    apply(as_it_is(iris))
    scenario.note("submitted")


RUNNING = ("digits-two-pods", "digits-paused", "digits-crashes", "digits-again", "digits-queued", "diabetes")


def play(scenario: Scenario, endless: int = 1_000_000) -> None:
    """Some minutes; afterwards most of it still trains."""
    submit_all(scenario, endless)
    for name in RUNNING:
        scenario.until_seen(f'trainingjob_epoch{{training_name="{name}"}} > 1', f"epochs of {name}")
    for name in ("digits", "diabetes-done"):
        scenario.job(name).wait_for_end()
    scenario.note("the short one has ended")
    scenario.until_scraped(4)
    _trouble(scenario)
    _one_name_twice(scenario)
    scenario.job("digits-paused").suspend(False)
    _let_run(scenario, True)
    scenario.job("digits-paused").wait_for_phase(Phase.RUNNING)
    scenario.note("resumed")
    scenario.until_epochs_later("digits-paused", 10)
    _crash(scenario, "digits-paused")
    scenario.until_seen('trainingjob_epoch{training_name="digits-again"} > 5', "the second of one name")
    scenario.until_seen('ALERTS{alertname="TrainingStalled", alertstate="firing"}', "the alert")
    scenario.note("the alert is raised")
    scenario.until_scraped(4)
    scenario.note("over")


def _trouble(scenario: Scenario) -> None:
    """A pause, a crash, a drain, and a queue that takes its place back."""
    paused = scenario.job("digits-paused")
    paused.suspend()
    scenario.cluster.evict(NAMESPACE, scenario.job("digits-two-pods").pods()[0]["metadata"]["name"])
    _let_run(scenario, False)
    paused.wait(lambda status: status.is_true(ConditionType.SUSPENDED), "Suspended")
    scenario.note("paused")
    _crash(scenario, "digits-crashes")
    _until_attempt(scenario, "digits-two-pods", 2)
    scenario.note("all that was disturbed runs again")


def _crash(scenario: Scenario, name: str) -> None:
    """A pod is killed; the next attempt runs when this returns."""
    job = scenario.job(name)
    attempt = job.status.attempt
    scenario.cluster.kill_pod_tree(NAMESPACE, job.pods()[0]["metadata"]["name"])
    scenario.note(f"{name} has crashed")
    _until_attempt(scenario, name, attempt + 1)


def _until_attempt(scenario: Scenario, name: str, attempt: int) -> None:
    job = scenario.job(name)
    job.wait(lambda status: status.attempt == attempt and status.is_true(ConditionType.RUNNING), f"{name} runs again")


def _let_run(scenario: Scenario, runs: bool) -> None:
    """As a queue does, with whichever Job there is: one that is suspended may be given up, and followed by another."""
    for job in scenario.kubectl.list("jobs", "trainingjob.dev/name=digits-queued"):
        scenario.kubectl.patch("jobs", job["metadata"]["name"], {"spec": {"suspend": not runs}})


def _one_name_twice(scenario: Scenario) -> None:
    """A TrainingJob is deleted, and when nothing is to be seen of it any more another one gets its name."""
    job, (_, digits) = scenario.job("digits-again"), example("digits")
    scenario.uids["first"] = job.get().metadata.uid
    job.delete()
    scenario.note("deleted")
    wait_for(lambda: time.time() > scenario.moments["deleted"] + GONE_AFTER, "a minute to pass")
    scenario.until_scraped(1)
    scenario.kubectl.apply(slow("digits-again", digits, 700, training__optimizer__learningRate=0.002))
    scenario.uids["second"] = job.get().metadata.uid
    scenario.note("made again")
