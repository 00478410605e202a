"""A training that is paused, changed and resumed by commits, or by hand where Git leaves that to people."""

import pytest

from gitops.conftest import Environment, Repository
from support.product import Training
from trainingjob_api.status import ConditionType, Phase
from unit.delivery.argocd import run
from unit.delivery.recorded import FOLDER

SCRIPTS = FOLDER.parent
ENDLESS = ("production/longer.yaml", "epochs: 2000", "epochs: 1000000")


def saved_step(job: Training) -> int:
    status = job.wait(lambda status: status.is_true(ConditionType.SUSPENDED), "the pause")
    assert status.pause is not None
    assert (status.pause.lost_steps, status.pause.evidence) == (0, "PodReport")
    assert status.pause.saved_step is not None
    return status.pause.saved_step


def goes_on_from(job: Training, step: int) -> None:
    status = job.wait(lambda status: status.resume and status.phase == Phase.RUNNING, "the resumed attempt")
    assert status.resume is not None
    assert (status.resume.from_step, status.resume.exactness, status.restarts) == (step, "Bitwise", 0)
    job.wait_for_step(step)


def owners_of_suspend(environment: Environment) -> list[str]:
    fields = environment.kubectl.get("trainingjobs", "moons")["metadata"]["managedFields"]
    return [each["manager"] for each in fields if "f:suspend" in each["fieldsV1"].get("f:spec", {})]


@pytest.mark.parametrize("environment", ["production"], indirect=True)
def test_paused_changed_and_resumed_by_commits(repository: Repository, environment: Environment) -> None:
    repository.replace(*ENDLESS)
    repository.commit("Train for as long as it takes")
    assert environment.deploy().returncode == 0
    job = environment.training
    job.wait_for_step(50)
    seen = environment.difference()
    assert (seen.returncode, seen.stdout) == (0, ""), "a training that runs differs from its manifest in nothing"
    stored, written = environment.kubectl.get("trainingjobs", "moons"), environment.manifest()
    assert stored["spec"] == written["spec"], "nor is anything added to what is written"
    assert not stored["metadata"].keys() & {"labels", "annotations", "finalizers"}

    repository.replace("production/pause.yaml", "suspend: false", "suspend: true")
    repository.replace("production/kustomization.yaml", "newTag: 0.2.0", "newTag: 0.3.0")
    repository.commit("Pause, and go on with the next image")
    assert environment.deploy().returncode == 0
    step = saved_step(job)
    assert job.pods() == []

    repository("revert", "--no-commit", "HEAD")
    repository.replace("production/kustomization.yaml", "newTag: 0.2.0", "newTag: 0.3.0")
    repository.commit("Resume")
    assert environment.deploy().returncode == 0
    goes_on_from(job, step)
    assert job.pods()[0]["spec"]["containers"][0]["image"].endswith("/trainer:0.3.0")

    repository.replace("production/kustomization.yaml", "newTag: 0.3.0", "newTag: 0.4.0")
    repository.commit("Change the image of a training that runs")
    refused = environment.deploy()
    assert refused.returncode != 0
    assert "can change only while the job is suspended: pod;" in refused.stderr


@pytest.mark.parametrize("environment", ["production"], indirect=True)
def test_what_is_in_git_a_person_does_not_change_for_long(repository: Repository, environment: Environment) -> None:
    repository.replace(*ENDLESS)
    repository.commit("Train for as long as it takes")
    environment.deploy()
    environment.training.suspend()
    conflict = environment.deploy()
    assert conflict.returncode != 0
    assert ".spec.suspend" in conflict.stderr
    assert environment.deploy("--force-conflicts").returncode == 0, "as Argo CD and Flux do"
    assert environment.kubectl.get("trainingjobs", "moons")["spec"]["suspend"] is False


@pytest.mark.parametrize("environment", ["staging"], indirect=True)
def test_where_git_says_nothing_of_it_a_pause_belongs_to_who_made_it(
    repository: Repository, environment: Environment
) -> None:
    repository.replace("base/training.yaml", "epochs: 20", "epochs: 1000000")
    repository.commit("Train for as long as it takes")
    assert environment.deploy().returncode == 0
    assert owners_of_suspend(environment) == []
    job = environment.training
    job.wait_for_step(50)
    environment.kubectl("patch", "trainingjob", "moons", "--type=merge", "--patch", '{"spec":{"suspend":true}}')
    step = saved_step(job)
    assert environment.deploy("--force-conflicts").returncode == 0
    assert job.get().spec.suspend is True, "the next commit leaves it as it is"
    assert owners_of_suspend(environment) == ["kubectl-patch"]
    assert environment.difference().returncode == 0
    environment.kubectl("patch", "trainingjob", "moons", "--type=merge", "--patch", '{"spec":{"suspend":null}}')
    goes_on_from(job, step)


@pytest.mark.parametrize("environment", ["staging"], indirect=True)
def test_what_argo_cds_actions_do(repository: Repository, environment: Environment) -> None:
    repository.replace("base/training.yaml", "epochs: 20", "epochs: 1000000")
    repository.commit("Train for as long as it takes")
    environment.deploy()
    job = environment.training
    reached = job.wait_for_step(50).step
    act(environment, "restart")
    status = job.wait(lambda status: status.attempt == 2 and status.resume, "the restart")
    assert status.resume is not None
    assert status.resume.from_step >= reached
    assert (status.resume.exactness, status.restarts, status.retry_time) == ("Bitwise", 0, None)
    job.wait_for_step(status.resume.from_step)
    assert environment.deploy("--force-conflicts").returncode == 0
    act(environment, "pause")
    step = saved_step(job)
    assert job.status.attempt == 2, "the next commit has restarted nothing"
    act(environment, "resume")
    goes_on_from(job, step)


def act(environment: Environment, action: str) -> None:
    """As Argo CD does it: its script makes another object of the live one, and the difference is a merge patch."""
    live = environment.kubectl.get("trainingjobs", "moons")
    wanted = run((SCRIPTS / "actions" / action / "action.lua").read_text(), live)
    annotations = {"metadata": {"annotations": wanted["metadata"].get("annotations", {})}}
    suspend = {"spec": {"suspend": wanted["spec"]["suspend"]}} if "suspend" in wanted["spec"] else {}
    environment.kubectl.patch("trainingjobs", "moons", {**annotations, **suspend})
