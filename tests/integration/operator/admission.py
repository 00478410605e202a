"""What changes Jobs and pods of a test's namespace as they are made, as somebody's webhook would."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from integration.operator.training import Object, Training
from support.kubectl import Refused
from support.waiting import wait_for

GROUP = "admissionregistration.k8s.io"
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@contextmanager
def admission(training: Training, resource: tuple[str, str], expression: str) -> Iterator[None]:
    """A policy that changes objects of the test's namespace as they are made, as a webhook of somebody's would."""
    group, plural = resource
    name = f"{training.kubectl.namespace}-{plural}"
    scope = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": training.kubectl.namespace}}}
    rules = [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [plural]}]
    policy = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": rules, **scope},
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{expression}]"}}],
        },
    }
    binding = {**policy, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": name}}
    for each in (policy, binding):
        training.kubectl("apply", "-f", "-", stdin=json.dumps(each))
    try:
        wait_for(lambda: _is_in_force(training, plural, expression), "the policy")
        yield
    finally:
        for each in (binding, policy):
            training.kubectl("delete", each["kind"].lower(), name)


def _is_in_force(training: Training, plural: str, expression: str) -> bool:
    """Tried on a Job or pod that is not stored, and that is refused for nothing but what the policy adds."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x", "securityContext": RESTRICTED}]}
    pod["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    probe: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": pod}
    if plural == "jobs":
        probe = {**probe, "apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod}}}
    try:
        made = training.kubectl.create(probe, dryRun="All")
    except Refused:
        return True
    injected = made["spec"].get("initContainers") or made["spec"].get("containers", [])[1:]
    return bool(made["spec"].get("suspend") or injected)
