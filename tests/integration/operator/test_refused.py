"""What an administrator's rules do to a training: they refuse, and it says so; or they let in nobody but its peers."""

import json

import pytest

from integration.operator.admission import admission
from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training, condition
from support.waiting import wait_for

ADMISSION = "admissionregistration.k8s.io/v1"
READERS = "trainingjob-system,metrics=enabled"


@pytest.fixture
def operator(_operator: OperatorProcess) -> OperatorProcess:
    """As the component networkpolicy sets it."""
    _operator.start(NETWORK_POLICY_FROM=READERS)
    return _operator


def refuse_jobs(training: Training, message: str) -> None:
    """A policy that lets nobody create Jobs in the test's namespace, in force."""
    name = training.kubectl.namespace
    rules = [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}]
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "false", "message": message}],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    for kind, each in (("ValidatingAdmissionPolicy", spec), ("ValidatingAdmissionPolicyBinding", bound)):
        manifest = {"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": name}, "spec": each}
        training.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
    probe = "create", "job", "probe", "--image=busybox", "--dry-run=server"
    wait_for(lambda: message in training.kubectl.run(*probe).stderr, "the policy to be in force")


def test_a_policy_that_refuses_the_job_is_told_in_its_own_words(operator: OperatorProcess, training: Training) -> None:
    words = "Jobs need a cost centre: ask the platform team"
    refuse_jobs(training, words)
    training.create(step=0.01)
    status = training.until_stalled("Forbidden")
    assert words in condition(status, "Stalled")["message"]
    training.kubectl("delete", "validatingadmissionpolicybinding", training.kubectl.namespace)
    training.until_true("Complete")


PROXY = """Object.spec.initContainers{
  name: "mesh-proxy", image: "local/shell", restartPolicy: "Always",
  securityContext: Object.spec.initContainers.securityContext{runAsUser: 0}}"""
LIST = "/spec/initContainers"
AS_ROOT = f'JSONPatch{{op: "add", path: "{LIST}", value: []}}, JSONPatch{{op: "add", path: "{LIST}/-", value: {PROXY}}}'
"""A native sidecar that may do more than `restricted` allows."""


def test_what_refuses_the_pods_is_found_where_the_condition_says(operator: OperatorProcess, training: Training) -> None:
    limits = [{"type": "Container", "max": {"memory": "1Gi"}}]
    limit_range = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": limits}}
    refusals = {"proxied": 'violates PodSecurity "restricted', "large": "maximum memory usage per Container is 1Gi"}
    with admission(training, ("", "pods"), AS_ROOT):
        training.kubectl.apply(limit_range)
        training.create("proxied", step=0.01)
        large = training.manifest("large", step=0.01)
        large["spec"]["pod"]["resources"] = {"limits": {"memory": "2Gi"}}
        training.kubectl.apply(large)
        for name, words in refusals.items():
            is_told_where_its_words_are(training, name, words)
    training.kubectl("delete", "limitrange", "small")
    for name in refusals:
        training.until_true("Complete", name)


def is_told_where_its_words_are(training: Training, name: str, words: str) -> None:
    """The command at the end of the condition's message shows them."""
    message = condition(training.until_stalled("Forbidden", name), "Stalled")["message"]
    command = message.rpartition(": kubectl ")[2].split()
    wait_for(lambda: words in training.kubectl(*command), f"{words} in {command}")


def test_each_training_has_a_network_policy_of_its_own_that_goes_with_it(
    operator: OperatorProcess, training: Training
) -> None:
    training.create(step=0.01)
    training.until_true("Complete")
    policy = json.loads(training.kubectl("get", "networkpolicy", "job-nodes", "-o", "json"))
    pod = training.pods()[0]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod.items()
    readers = [each["namespaceSelector"]["matchLabels"] for each in policy["spec"]["ingress"][1]["from"]]
    assert readers == [{"kubernetes.io/metadata.name": "trainingjob-system"}, {"metrics": "enabled"}]
    training.delete()
    gone = "wait", "--for=delete", "networkpolicy/job-nodes", "--timeout=300s"
    assert training.kubectl.run(*gone).returncode == 0
