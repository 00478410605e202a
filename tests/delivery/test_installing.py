"""helm install, upgrade and uninstall on a real control plane with the operator's pods, while a training runs on."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from delivery.conftest import NAMESPACE, NEW, OLD, PLACES, RELEASED, Helm
from delivery.programs import CHART, ROOT, Object, kustomized, objects_of
from local_cluster.cluster import LocalCluster
from support.cluster import kubectl_of
from support.kubectl import Kubectl
from support.product import Training, trainings_in
from support.waiting import PATIENCE, wait_for
from trainingjob_api.contract import GROUP, HISTORY_PLURAL, PLURAL
from trainingjob_api.status import Phase

WAIT = ("--wait", f"--timeout={PATIENCE:.0f}s")
CRD = "customresourcedefinitions"
CRDS = f"{PLURAL}.{GROUP}", f"{HISTORY_PLURAL}.{GROUP}"
ALONE = "training"
"""The namespace that chart and overlay name for an operator of one namespace."""


@pytest.fixture(autouse=True)
def _clean(helm: Helm, admin: Kubectl) -> Iterator[None]:
    """Nothing of the product is there before a test, nor after it."""
    yield
    helm.run("uninstall", "trainingjob", "--ignore-not-found", *WAIT)
    admin("delete", CRD, *CRDS, "--ignore-not-found")  # by name: who applies the files has no label on them
    for kinds in ("clusterroles,clusterrolebindings,priorityclasses", "namespaces"):
        admin("delete", kinds, "-l", "app.kubernetes.io/part-of=trainingjob", "--ignore-not-found")
    admin("delete", "namespace", NAMESPACE, ALONE, "--ignore-not-found")
    admin("delete", "clusterrole", "trainingjob-installer", "--ignore-not-found")


def test_a_training_does_not_notice_that_its_operator_is_installed_upgraded_and_uninstalled(
    helm: Helm, kubectl: Kubectl, admin: Kubectl
) -> None:
    helm("install", "trainingjob", "--create-namespace", *WAIT)
    assert "Succeeded" in helm("test", "trainingjob")
    job = trainings_in(kubectl).submit("job", nodes=2)
    job.wait_for_step(5)
    before = life(job)
    helm("upgrade", "trainingjob", *WAIT, operator={"settings": {"LOG_LEVEL": "DEBUG"}}, gateway={"enabled": True})
    assert "1/1" in admin("get", "deployment", "trainingjob-gateway")
    assert "LOG_LEVEL" in admin("get", "deployment", "trainingjob-operator", "-o", "yaml")
    helm("rollback", "trainingjob", "1", *WAIT)
    assert "Succeeded" in helm("test", "trainingjob")
    assert life(job) == before

    helm("uninstall", "trainingjob", *WAIT)
    assert not admin(
        "get", "deployments,pods,serviceaccounts", "-l", "app.kubernetes.io/part-of=trainingjob", "-o", "name"
    )
    assert life(job) == before, "pods train on without an operator"
    assert kubectl("get", "persistentvolumeclaim", "job-checkpoints", "-o", "name")

    helm("install", "trainingjob", *WAIT)
    paused = job.pause()
    assert paused.pause is not None
    assert (paused.pause.lost_steps, paused.restarts) == (0, 0)


def test_0_1_0_is_taken_over_while_it_trains(helm: Helm, kubectl: Kubectl, admin: Kubectl) -> None:
    admin("apply", "-f", "-", stdin=yaml.safe_dump_all(released()))
    admin("rollout", "status", "deployment/trainingjob-operator", f"--timeout={PATIENCE:.0f}s")
    job = trainings_in(kubectl).submit("job", nodes=2)
    job.wait_for_phase(Phase.RUNNING)
    job.wait_for_step(5)
    assert {image(pod).rpartition(":")[2] for pod in job.pods()} == {OLD}
    before = life(job)

    helm("upgrade", "trainingjob", "--install", "--take-ownership", "--force-conflicts", "--server-side=true", *WAIT)
    images = "get", "pods", "-l", "app.kubernetes.io/name=trainingjob-operator", "-o", "jsonpath={..image}"
    wait_for(lambda: {each.rpartition(":")[2] for each in admin(*images).split()} == {NEW}, "the end of the old pod")
    assert "Succeeded" in helm("test", "trainingjob")
    assert life(job) == before
    paused = job.pause()
    assert paused.pause is not None
    assert (paused.pause.lost_steps, paused.restarts, paused.attempt) == (0, 0, 1)
    job.suspend(False)
    resumed = job.wait(lambda status: status.resume, "where it went on from").resume
    assert resumed is not None
    assert (resumed.from_step, resumed.from_attempt) == (paused.pause.saved_step, 1)
    assert {image(pod).rpartition(":")[2] for pod in job.pods()} == {NEW}


def test_the_one_file_installs_and_kustomize_upgrades_while_it_trains(kubectl: Kubectl, admin: Kubectl) -> None:
    def apply(objects: list[Object], **settings: str) -> None:
        admin("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(here(objects, f":{NEW}", settings)))
        admin("rollout", "status", "deployment/trainingjob-operator", f"--timeout={PATIENCE:.0f}s")

    apply(objects_of((ROOT / "deploy/install.yaml").read_text()))
    job = trainings_in(kubectl).submit("job", nodes=2)
    job.wait_for_step(5)
    before = life(job)
    apply(kustomized(ROOT / "deploy/base"), LOG_LEVEL="DEBUG")
    assert "DEBUG" in admin("get", "deployment", "trainingjob-operator", "-o", "yaml")
    assert life(job) == before
    for command in documented("## Uninstall", "kubectl delete namespace trainingjob-system"):
        admin(*command)
    assert "trainingjob" not in admin(
        "get", "clusterroles,clusterrolebindings,priorityclasses,namespaces", "-o", "name"
    )
    assert life(job) == before, "pods train on without an operator"
    apply(kustomized(ROOT / "deploy/base"))
    paused = job.pause()
    assert paused.pause is not None
    assert (paused.pause.lost_steps, paused.restarts, paused.attempt) == (0, 0, 1)
    job.delete()
    admin("delete", "-k", str(ROOT / "deploy/base"))
    assert "trainingjob.dev" not in admin("get", CRD, "-o", "name")


@pytest.mark.parametrize("way", ["helm", "kustomize"])
def test_for_one_namespace_an_operator_needs_no_more_than_its_role(
    way: str, kubectl: Kubectl, admin: Kubectl, deliverable: LocalCluster, tmp_path: Path
) -> None:
    """Installed by somebody who may do nothing outside of it either, once an administrator has made room for that."""
    admin("create", "namespace", ALONE)
    for command in documented("## For some namespaces only", "kubectl apply --server-side -k crds"):
        admin(*(f"--serviceaccount={ALONE}:ann" if word == "--user=ann" else word for word in command))
    admin("create", "serviceaccount", "ann", "--namespace", ALONE)
    account = deliverable.service_account_kubeconfig(ALONE, "ann")
    ann = kubectl_of(account, ALONE)
    if way == "helm":
        Helm(account, ALONE, tmp_path)(
            "install", "trainingjob", "--values", str(CHART / "namespaced-values.yaml"), *WAIT
        )
    else:
        file = yaml.safe_dump_all(here(kustomized(ROOT / "deploy/overlays/namespaced"), f":{NEW}"))
        ann("apply", "--server-side", "-f", "-", stdin=file)
        ann("rollout", "status", "deployment/trainingjob-operator", f"--timeout={PATIENCE:.0f}s")
    elsewhere = trainings_in(kubectl).submit("job")
    job = trainings_in(kubectl_of(deliverable.kubeconfig, ALONE)).submit("job", nodes=2)
    job.wait_for_step(5)
    paused = job.pause()
    assert paused.pause is not None
    assert (paused.pause.lost_steps, paused.restarts) == (0, 0)
    assert ann("get", "networkpolicy", "job-nodes", "-o", "name")
    assert elsewhere.status.observed_generation == -1, "nobody has looked at it"
    operator = deliverable.service_account_kubeconfig(ALONE, "trainingjob-operator")
    assert kubectl_of(operator, ALONE).may("list", "trainingjobs")
    for right in ("list trainingjobs", "list pods", "create jobs", "get persistentvolumeclaims", "get nodes"):
        assert not kubectl_of(operator, kubectl.namespace).may(*right.split()), right


def test_crds_go_only_if_that_is_asked_for(helm: Helm, admin: Kubectl) -> None:
    helm("install", "trainingjob", "--create-namespace")
    helm("uninstall", "trainingjob", *WAIT)
    assert "trainingjobs.trainingjob.dev" in admin("get", CRD, "-o", "name")
    helm("upgrade", "trainingjob", "--install", crds={"keep": False})
    helm("uninstall", "trainingjob", *WAIT)
    wait_for(lambda: "trainingjob.dev" not in admin("get", CRD, "-o", "name"), "the end of the CRDs")


def test_the_api_server_takes_all_that_can_be_switched_on(helm: Helm, admin: Kubectl) -> None:
    """But for what is the Prometheus operator's, whose kinds are not served here."""
    admin("create", "namespace", NAMESPACE)
    helm("install", "crds", operator={"replicas": 0})  # the kinds that others are validated against
    on = ("--set", "monitoring.dashboards=true,networkPolicy.enabled=true,namespaces={red,blue}")
    done = helm.run("template", "other", str(CHART), "--dry-run=server", "--is-upgrade", "--take-ownership", *on)
    helm("uninstall", "crds", *WAIT)
    assert done.returncode == 0, done.stderr
    assert {each["kind"] for each in objects_of(done.stdout)} >= {"ConfigMap", "NetworkPolicy", "Role", "Pod"}


def life(job: Training) -> Object:
    """What a job would show of a disturbance: another attempt, a restart, other pods."""
    status = job.status
    pods = sorted(pod["metadata"]["uid"] for pod in job.pods())
    return {"attempt": status.attempt, "restarts": status.restarts, "pods": pods}


def image(pod: Object) -> str:
    found: str = pod["spec"]["containers"][0]["image"]
    return found


def released() -> list[Object]:
    """0.1.0 as kustomize made it."""
    return here(objects_of((RELEASED / OLD / "install.yaml").read_text()), f":{OLD}")


def documented(chapter: str, first: str) -> list[list[str]]:
    """The arguments of kubectl in that block of docs/install.md which begins with a command."""
    text = (ROOT / "docs/install.md").read_text().partition(f"\n{chapter}\n")[2]
    block = first + text.partition(f"```sh\n{first}")[2].partition("```")[0]
    lines = block.replace("\\\n", " ").splitlines()
    assert len(lines) > 1
    return [shlex.split(line, comments=True)[1:] for line in lines]


def here(objects: list[Object], tag: str, settings: Mapping[str, str] | None = None) -> list[Object]:
    """With what the embedded cluster needs: programs by their tag, and variables; and with settings of the operator."""
    set_here = [{"name": f"TRAININGJOB_OPERATOR_{name}", "value": value} for name, value in (settings or {}).items()]
    for each in objects:
        if each["kind"] == "Deployment":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            container["image"] = container["image"].rpartition(":")[0] + tag
            for variable in container["env"]:
                if variable["name"].endswith("TRAINER_IMAGE"):
                    variable["value"] = variable["value"].rpartition(":")[0] + tag
            container["env"] += [*PLACES, *set_here]
    copied: list[Object] = json.loads(json.dumps(objects))  # YAML's anchors are not for kubectl
    return copied
