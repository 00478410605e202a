"""What somebody may try who can write TrainingJobs in one namespace, and nothing else: all is refused, or harmless.

Refused by the CRD's own rules, by the API server's for pods, or by RBAC. Harmless: the Job that the operator makes of
it does not carry what was asked for, and the API server takes that Job in a namespace that enforces `restricted`.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cluster.cluster import LocalCluster
from support.cluster import enforce_restricted, kubectl_of, new_namespace
from support.kubectl import Kubectl, Refused
from support.manifests import VALID, changed
from support.product import install_product
from training_operator.builders.job import build_job
from training_operator.builders.network_policy import build_network_policy
from trainingjob_api.resource import TrainingJob

Object = dict[str, Any]


def volume(**source: Any) -> Object:
    return {"spec.pod.volumes": [{"name": "data", **source}]}


def env(**variable: Any) -> Object:
    return {"spec.pod.env": [variable]}


def mount(path: str, **more: Any) -> Object:
    return {"spec.pod.volumeMounts": [{"name": "data", "mountPath": path, **more}]}


REFUSED: list[tuple[str, Object, str]] = [
    ("the host's file system as data", volume(hostPath={"path": "/"}), "hostPath"),
    ("the host's file system for checkpoints", {"spec.checkpoint.volume": {"hostPath": {"path": "/"}}}, "hostPath"),
    ("another server's file system", volume(nfs={"server": "nas", "path": "/"}), "nfs"),
    ("a CSI driver's volume", volume(csi={"driver": "secrets-store.csi.k8s.io"}), "csi"),
    ("a token of the ServiceAccount", volume(projected={"sources": [{"serviceAccountToken": {}}]}), "projected"),
    ("the pod's own fields as a volume", volume(downwardAPI={"items": []}), "downwardAPI"),
    ("another namespace's ConfigMap", volume(configMap={"name": "a", "namespace": "kube-system"}), "namespace"),
    ("another namespace's Secret", volume(secret={"secretName": "a", "namespace": "kube-system"}), "namespace"),
    (
        "another namespace's claim",
        volume(persistentVolumeClaim={"claimName": "a", "namespace": "kube-system"}),
        "namespace",
    ),
    ("checkpoints on another namespace's claim", {"spec.checkpoint.volume.namespace": "other"}, "namespace"),
    ("a Secret of another namespace in a variable",
     env(name="A", valueFrom={"secretKeyRef": {"name": "a", "key": "k", "namespace": "o"}}), "namespace"),
    ("a field of the pod in a variable", env(name="A", valueFrom={"fieldRef": {"fieldPath": "status.hostIP"}}),
     "fieldRef"),
    ("the network of the host", {"spec.pod.hostNetwork": True}, "hostNetwork"),
    ("the processes of the host", {"spec.pod.hostPID": True}, "hostPID"),
    ("the memory of the host", {"spec.pod.hostIPC": True}, "hostIPC"),
    ("another container", {"spec.pod.containers": [{"name": "a", "image": "a"}]}, "containers"),
    ("a container before it", {"spec.pod.initContainers": [{"name": "a", "image": "a"}]}, "initContainers"),
    ("another command", {"spec.pod.command": ["sh"]}, "command"),
    ("a token after all", {"spec.pod.automountServiceAccountToken": True}, "automountServiceAccountToken"),
    ("the scheduler passed by", {"spec.pod.nodeName": "control-plane"}, "nodeName"),
    ("a privileged container", {"spec.pod.securityContext": {"privileged": True}}, "privileged"),
    ("root", {"spec.pod.securityContext": {"runAsUser": 0}}, "runAsUser"),
    ("more capabilities", {"spec.pod.securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "capabilities"),
    ("kernel parameters", {"spec.pod.securityContext": {"sysctls": [{"name": "a", "value": "1"}]}}, "sysctls"),
    ("a place above the claim", {"spec.checkpoint.subPath": "../other"}, "subPath"),
    ("a place above the claim, further in", {"spec.checkpoint.subPath": "mine/../../other"}, "subPath"),
    ("an absolute place in the claim", {"spec.checkpoint.subPath": "/etc"}, "subPath"),
    ("a mount over the checkpoints", mount("/checkpoints"), "mountPath"),
    ("a mount within the checkpoints", mount("/checkpoints/step-1"), "mountPath"),
    ("a mount over the temporary files", mount("/tmp"), "mountPath"),
    ("the operator's own volume by its name", {"spec.pod.volumes": [{"name": "checkpoints", "emptyDir": {}}]}, "name"),
    ("the trainer's instructions in a variable", env(name="TRAININGJOB_RUN", value="{}"), "name"),
    ("another rendezvous", env(name="MASTER_ADDR", value="evil.example.com"), "name"),
    ("another rendezvous, torchrun's way", env(name="PET_RDZV_ENDPOINT", value="evil.example.com"), "name"),
    ("another rank", env(name="RANK", value="7"), "name"),
    ("a variable's name with a command in it", env(name="A=$(reboot)", value="1"), "name"),
    ("a name that makes other names", {"metadata.name": "a.b"}, "metadata.name"),
    ("a name longer than names of pods may be", {"metadata.name": "a" * 64}, "metadata.name"),
    ("a place in the claim that a variable names", {"spec.checkpoint.subPath": "$(POD_NAME)"}, "subPath"),
]  # fmt: skip


def pod_of(job: Object) -> Object:
    pod: Object = job["spec"]["template"]["spec"]
    return pod


def labels_of(job: Object) -> Object:
    labels: Object = job["spec"]["template"]["metadata"]["labels"]
    return labels


def container_of(job: Object) -> Object:
    container: Object = pod_of(job)["containers"][0]
    return container


def variables(job: Object) -> Object:
    return {each["name"]: each.get("value") for each in container_of(job)["env"]}


def checkpoint_mount(job: Object) -> Object:
    return next(each for each in container_of(job)["volumeMounts"] if each["name"] == "checkpoints")


HARMLESS: list[tuple[str, Object, Callable[[Object], bool]]] = [
    ("pods that belong to another training", {"spec.pod.labels": {"trainingjob.dev/name": "other"}},
     lambda job: labels_of(job)["trainingjob.dev/name"] == "job"),
    ("pods of another attempt", {"spec.pod.labels": {"trainingjob.dev/attempt": "9"}},
     lambda job: labels_of(job)["trainingjob.dev/attempt"] == "1"),
    ("pods that are taken for the operator", {"spec.pod.labels": {"app.kubernetes.io/name": "trainingjob-operator"}},
     lambda job: labels_of(job)["app.kubernetes.io/name"] == "trainer"),
    ("another ServiceAccount of the namespace has no token in the pod", {"spec.pod.serviceAccountName": "admin"},
     lambda job: pod_of(job)["automountServiceAccountToken"] is False),
    ("the nodes of the control plane need a toleration that only lets them in there",
     {"spec.pod.nodeSelector": {"node-role.kubernetes.io/control-plane": ""}},
     lambda job: not any("control-plane" in each.get("key", "") for each in pod_of(job)["tolerations"])),
    ("a variable that would be expanded into the trainer's instructions", env(name="A", value="$(TRAININGJOB_RUN)"),
     lambda job: json.loads(variables(job)["TRAININGJOB_RUN"])["training"]["epochs"] == 10),
    ("a library to load first, in one's own container only", env(name="LD_PRELOAD", value="/data/evil.so"),
     lambda job: container_of(job)["securityContext"]["allowPrivilegeEscalation"] is False),
    ("an image of any registry, by digest", {"spec.pod.image": f"evil.io:5000/a/b@sha256:{'0' * 64}"},
     lambda job: pod_of(job)["securityContext"]["runAsNonRoot"] is True),
    ("the group of root reaches its files in the image, which cannot be written",
     {"spec.pod.securityContext": {"runAsGroup": 0, "fsGroup": 0}},
     lambda job: container_of(job)["securityContext"]["readOnlyRootFilesystem"] is True),
    ("the folder of another training in a shared claim is its namespace's matter", {"spec.checkpoint.subPath": "other"},
     lambda job: checkpoint_mount(job)["subPath"] == "other"),
    ("an AppArmor profile by its old annotation", {"spec.pod.annotations": {"example.com/a": "b"}},
     lambda job: pod_of(job)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def tenant(cluster: LocalCluster) -> Iterator[Kubectl]:
    """Somebody who has the cluster's `edit` role in one namespace, which enforces `restricted`."""
    install_product(cluster)
    with new_namespace(cluster.kubeconfig) as admin:
        enforce_restricted(admin)
        admin("create", "serviceaccount", "tenant")
        account = f"--serviceaccount={admin.namespace}:tenant"
        admin("create", "rolebinding", "tenant", "--clusterrole=edit", account)
        yield kubectl_of(cluster.service_account_kubeconfig(admin.namespace, "tenant"), admin.namespace)


@pytest.mark.parametrize(("changes", "field"), [pytest.param(c, f, id=title) for title, c, f in REFUSED])
def test_refused(kubectl: Kubectl, changes: Object, field: str) -> None:
    with pytest.raises(Refused, match=field):
        kubectl.create(changed(VALID, changes), dryRun="All")


@pytest.mark.parametrize(("changes", "holds"), [pytest.param(c, h, id=title) for title, c, h in HARMLESS])
def test_harmless(tenant: Kubectl, admin_kubeconfig: Path, changes: Object, holds: Callable[[Object], bool]) -> None:
    manifest = changed(VALID, changes)
    tenant.create(manifest, dryRun="All")
    manifest["metadata"] |= {"namespace": tenant.namespace, "uid": "11111111-2222-3333-4444-555555555555"}
    job = build_job(TrainingJob.model_validate(manifest), 1, "ghcr.io/trainingjob/trainer:0.1.0")
    assert holds(job)
    template = job["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "pod"},
        "spec": template["spec"],
    }
    admin = kubectl_of(admin_kubeconfig, tenant.namespace)
    admin.create(changed(pod, {"spec.serviceAccountName": "default"}), dryRun="All")
    admin.create(job, dryRun="All")


BODY = {
    "apiVersion": "trainingjob.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "job"},
    "spec": VALID["spec"],
}
JOBS = "/apis/trainingjob.dev/v1alpha1/namespaces/{}/trainingjobs"
HISTORIES = "/apis/trainingjob.dev/v1alpha1/namespaces/{mine}/traininghistories"
ACCOUNTS = "/api/v1/namespaces/trainingjob-system/serviceaccounts"
FORBIDDEN = [
    ("a TrainingJob in another namespace", "POST", JOBS.format("default"), BODY),
    ("a look at another namespace's", "GET", JOBS.format("default"), None),
    ("a look at all", "GET", "/apis/trainingjob.dev/v1alpha1/trainingjobs", None),
    ("its status", "PUT", JOBS.format("{mine}") + "/job/status", BODY),
    ("a history that never was", "POST", HISTORIES, {}),
    ("another history of one's own training", "PUT", f"{HISTORIES}/job", {}),
    ("the CRD", "DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trainingjobs.trainingjob.dev", None),
    ("the operator's Deployment", "GET", "/apis/apps/v1/namespaces/trainingjob-system/deployments", None),
    ("the operator's token", "POST", f"{ACCOUNTS}/trainingjob-operator/token", {"spec": {}}),
    ("the gateway's token", "POST", f"{ACCOUNTS}/trainingjob-gateway/token", {"spec": {}}),
    ("the operator's Lease", "GET", "/apis/coordination.k8s.io/v1/namespaces/trainingjob-system/leases", None),
    ("a role for oneself", "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/{mine}/rolebindings", {}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), [pytest.param(*rest, id=title) for title, *rest in FORBIDDEN])
def test_forbidden(tenant: Kubectl, method: str, path: str, body: Object | None) -> None:
    status, answer = tenant.request(method, path.format(mine=tenant.namespace), body=body)
    assert (status, answer["reason"]) == (403, "Forbidden")


OF_NOBODY = [
    *("get secrets", "list secrets", "create pods", "create pods/exec", "create serviceaccounts/token"),
    *("create rolebindings", "escalate roles", "impersonate users", "delete networkpolicies", "update trainingjobs"),
]
WITHOUT: list[tuple[str, list[str], str]] = [
    ("operator",
     ["get configmaps", "get pods/log", "patch trainingjobs", "delete trainingjobs"], "update trainingjobs/status"),
    ("gateway",
     [*("list configmaps", "patch configmaps", "delete configmaps", "create jobs", "delete pods"),
      *("update trainingjobs/status", "update traininghistories", "list persistentvolumeclaims")], "get pods/log"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "more", "has"), WITHOUT)
def test_who_takes_over_a_program_of_ours_has_its_rights_and_not_these(
    cluster: LocalCluster, tenant: Kubectl, program: str, more: list[str], has: str
) -> None:
    account = cluster.service_account_kubeconfig("trainingjob-system", f"trainingjob-{program}")
    somebody = kubectl_of(account, tenant.namespace)
    for right in [*OF_NOBODY, *more]:
        assert not somebody.may(*right.split()), right
    assert somebody.may(*has.split()), "and this is how it would look"


def test_a_policy_of_one_training_lets_in_no_other(tenant: Kubectl) -> None:
    manifest = changed(VALID, {"spec.pod.labels": {"trainingjob.dev/name": "victim"}})
    manifest["metadata"] |= {"namespace": tenant.namespace, "uid": "1"}
    training = TrainingJob.model_validate(manifest)
    policy = build_network_policy(training, ("trainingjob-system",))
    assert policy["spec"]["podSelector"]["matchLabels"] == {"trainingjob.dev/name": "job"}
    assert policy["spec"]["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"trainingjob.dev/name": "job"}}}]
