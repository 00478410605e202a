"""Who uses the page: service accounts of a test's namespace that may write TrainingJobs there."""

from dataclasses import dataclass

from support.kubectl import Kubectl
from trainingjob_api.contract import GROUP, PLURAL

AUDIENCE = "trainingjob-gateway"
RULES = [
    {
        "apiGroups": [GROUP],
        "resources": [PLURAL],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
    {"apiGroups": [GROUP], "resources": ["traininghistories"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["events", "pods", "pods/log"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "patch", "delete"]},
]


@dataclass(frozen=True)
class Accounts:
    """Made in one namespace."""

    kubectl: Kubectl

    def create(self, name: str) -> str:
        """A token of a new account."""
        metadata, role = {"name": name}, {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.kubectl.namespace}
        rbac = "rbac.authorization.k8s.io/v1"
        self.kubectl.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        self.kubectl.apply({"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": RULES})
        binding = {
            "apiVersion": rbac,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": role,
            "subjects": [subject],
        }
        self.kubectl.apply(binding)
        return self.kubectl("create", "token", name, "--audience", AUDIENCE).strip()

    def delete(self, name: str) -> None:
        """Its tokens are good for nothing from then on."""
        self.kubectl("delete", "serviceaccount", name)
