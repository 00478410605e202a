"""People with tokens of the cluster, who ask the gateway."""

from dataclasses import dataclass
from typing import Any

import pytest

from quickstart.product import GatewayProcess
from support.kubectl import Kubectl
from support.waiting import wait_for

AUDIENCE = "trainingjob-gateway"


@dataclass(frozen=True)
class People:
    """ServiceAccounts of one namespace."""

    kubectl: Kubectl

    def account(self, name: str, role: str | None = None) -> str:
        """Makes it; role: of the cluster's own, in this namespace."""
        namespace = self.kubectl.namespace
        self.kubectl.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
        if role:
            subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
            body = {
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [subject],
            }
            path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
            assert self.kubectl.request("POST", path, body=body)[0] == 201
        return name

    def token(self, name: str, audience: str = AUDIENCE) -> str:
        path = f"/api/v1/namespaces/{self.kubectl.namespace}/serviceaccounts/{name}/token"
        spec: dict[str, Any] = {"spec": {"audiences": [audience] if audience else []}}
        status, answer = self.kubectl.request("POST", path, body=spec)
        assert status == 201, answer
        token: str = answer["status"]["token"]
        return token

    def delete(self, name: str) -> None:
        path = f"/api/v1/namespaces/{self.kubectl.namespace}/serviceaccounts/{name}"
        assert self.kubectl.request("DELETE", path)[0] == 200
        wait_for(lambda: self.kubectl.request("GET", path)[0] == 404, f"the end of {name}")


@pytest.fixture
def people(gateway: GatewayProcess, kubectl: Kubectl) -> People:
    return People(kubectl)
