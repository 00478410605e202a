"""The shipped ValidatingAdmissionPolicies in a real API server, bound to the test's namespace alone."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.binaries import find_kubectl
from local_cluster.cluster import LocalCluster
from support.cluster import kubectl_of
from support.kubectl import Kubectl, Refused
from support.manifests import VALID, changed
from support.waiting import wait_for

POLICIES = Path(__file__).parents[3] / "deploy/policies"
IMAGE = "ghcr.io/trainingjob/trainer:0.2.0"
DIGEST = f"ghcr.io/trainingjob/trainer@sha256:{'0' * 64}"
GPUS = {"limits": {"nvidia.com/gpu": 8, "cpu": "4"}}


@pytest.fixture(scope="module")
def kubectl(kubectl: Kubectl) -> Kubectl:
    """The policies are applied as they are shipped, but for where they hold and their parameters lie."""
    built = subprocess.run([find_kubectl(), "kustomize", POLICIES], capture_output=True, text=True, check=True).stdout
    for each in yaml.safe_load_all(built):
        kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(_here(each, kubectl.namespace)))
    wait_for(lambda: _is_refused(kubectl, {"spec.pod.image": "evil"}), "the policy for images")
    wait_for(lambda: _is_refused(kubectl, {"spec.nodes": 64, "spec.pod.resources": GPUS}), "the policy for GPUs")
    return kubectl


def _here(each: dict[str, Any], namespace: str) -> dict[str, Any]:
    if each["kind"] == "ConfigMap":
        return changed(each, {"metadata.namespace": namespace})
    if each["kind"] == "ValidatingAdmissionPolicy":
        return each
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    parameters = {"spec.paramRef.namespace": namespace} if "paramRef" in each["spec"] else {}
    return changed(each, {"spec.matchResources": selector, **parameters})


def _is_refused(kubectl: Kubectl, changes: dict[str, Any]) -> bool:
    try:
        kubectl.create(changed(VALID, changes), dryRun="All")
    except Refused as refused:
        return "ValidatingAdmissionPolicy" in str(refused)
    return False


SHARED = {"spec.checkpoint.volume": {"claimName": "claim"}}
CASES: list[tuple[str, dict[str, Any], str | None]] = [
    ("the operator's own image", {}, None),
    ("an image of ours", {"spec.pod.image": IMAGE}, None),
    ("an image of ours by digest", {"spec.pod.image": DIGEST}, None),
    ("another registry", {"spec.pod.image": "docker.io/evil/trainer"}, "docker.io/evil/trainer is not one of ghcr.io"),
    ("a registry that begins alike", {"spec.pod.image": "ghcr.io/trainingjob-evil/trainer"}, "is not one of"),
    ("a registry's name in the path", {"spec.pod.image": "evil.io/ghcr.io/trainingjob/trainer"}, "is not one of"),
    ("GPUs within the limit", {"spec.nodes": 2, "spec.pod.resources": GPUS}, None),
    ("GPUs of all nodes together", {"spec.nodes": 3, "spec.pod.resources": GPUS}, "24 GPUs on all nodes, and 16"),
    ("GPUs as text", {"spec.pod.resources": {"limits": {"nvidia.com/gpu": "17"}}}, "17 GPUs"),
    ("other limits are not counted", {"spec.pod.resources": {"limits": {"cpu": "64"}}}, None),
    ("the default ServiceAccount", {"spec.pod.serviceAccountName": "default"}, None),
]


@pytest.mark.parametrize(("changes", "refused"), [pytest.param(c, r, id=title) for title, c, r in CASES])
def test_what_is_allowed(kubectl: Kubectl, changes: dict[str, Any], refused: str | None) -> None:
    manifest = changed(VALID, {**SHARED, **changes})
    if refused is None:
        kubectl.create(manifest, dryRun="All")
        return
    with pytest.raises(Refused, match=refused):
        kubectl.create(manifest, dryRun="All")


def test_a_service_account_is_for_those_who_may_use_it(kubectl: Kubectl, cluster: LocalCluster) -> None:
    kubectl("create", "serviceaccount", "scientist")
    scientist = kubectl_of(cluster.service_account_kubeconfig(kubectl.namespace, "scientist"), kubectl.namespace)
    _grant(kubectl, {"apiGroups": ["trainingjob.dev"], "resources": ["trainingjobs"], "verbs": ["create"]})
    wait_for(lambda: scientist.may("create", "trainingjobs.trainingjob.dev"), "the right to create")
    privileged = changed(VALID, {"spec.pod.serviceAccountName": "with-bucket"})

    def refusal() -> str:
        try:
            scientist.create(privileged, dryRun="All")
        except Refused as refused:
            return str(refused)
        return ""

    # It has come into force when it refuses somebody; whoever waited for the others may do everything.
    wait_for(lambda: "you may not use ServiceAccount with-bucket" in refusal(), "the policy for ServiceAccounts")
    account = {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["with-bucket"]}
    _grant(kubectl, {**account, "verbs": ["use"]})
    wait_for(lambda: not refusal(), "the right to use it")


def _grant(kubectl: Kubectl, rule: dict[str, Any]) -> None:
    """A Role with this rule, to the scientist."""
    name = rule["resources"][0]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": [rule]}
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(role))
    kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={kubectl.namespace}:scientist")


def test_a_training_that_a_policy_came_after_can_still_be_paused(kubectl: Kubectl) -> None:
    evil = {"spec.pod.image": "evil"}
    _bind_images_to(kubectl, "nowhere")
    wait_for(lambda: not _is_refused(kubectl, evil), "the policy to be gone")
    kubectl.create(changed(VALID, {**evil, "metadata.name": "before", "spec.managedBy": "nobody.dev/none"}))
    _bind_images_to(kubectl, kubectl.namespace)
    wait_for(lambda: _is_refused(kubectl, evil), "the policy to be back")
    assert kubectl.patch("trainingjobs", "before", {"spec": {"suspend": True}})["spec"]["suspend"] is True


def _bind_images_to(kubectl: Kubectl, namespace: str) -> None:
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    patch = yaml.safe_dump({"spec": {"matchResources": selector}})
    name = "trainingjob-images"
    kubectl("patch", "validatingadmissionpolicybinding", name, "--type=merge", "--patch", patch)
