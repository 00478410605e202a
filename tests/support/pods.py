"""Pods as tests write them down and look at them: through the API only."""

from typing import Any

from local_cluster.cluster import LocalCluster
from local_cluster.rest import RestError
from support.waiting import wait_for

Object = dict[str, Any]


def shell(script: str, **fields: Any) -> Object:
    """A container that runs a shell script."""
    return {"name": "main", "image": "local/shell", "args": ["-c", script], **fields}


def python(script: str, **fields: Any) -> Object:
    """A container that runs a Python program."""
    return {"name": "main", "image": "python:3.11", "command": ["python", "-c", script], **fields}


class Pods:
    """The pods of one namespace."""

    def __init__(self, cluster: LocalCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}"

    def create(self, name: str, *containers: Object, **spec: Any) -> None:
        body = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": list(containers), **spec}
        self.post("pods", {"metadata": {"name": name, "labels": {"app": name}}, "spec": body})

    def post(self, kind: str, body: Object) -> None:
        self.cluster.admin.post(f"{self._path}/{kind}", body)

    def get(self, name: str, kind: str = "pods") -> Object:
        return self.cluster.admin.get(f"{self._path}/{kind}/{name}")

    def status(self, name: str) -> Object:
        status: Object = self.get(name)["status"]
        return status

    def state(self, name: str, container: int = 0) -> Object:
        statuses = self.status(name).get("containerStatuses") or [{"state": {}}]
        state: Object = statuses[container]["state"]
        return state

    def is_ready(self, name: str) -> bool:
        conditions = {one["type"]: one["status"] for one in self.status(name).get("conditions", ())}
        return conditions.get("Ready") == "True"

    def log(self, name: str, query: str = "") -> str:
        return self.cluster.admin.text(f"{self._path}/pods/{name}/log{query}")

    def delete(self, name: str, grace: int | None = None) -> None:
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        self.cluster.admin.request("DELETE", f"{self._path}/pods/{name}", {"kind": "DeleteOptions", **options})

    def exists(self, name: str) -> bool:
        try:
            self.get(name)
        except RestError as error:
            if error.status != 404:
                raise
            return False
        return True

    def wait_for_phase(self, name: str, *phases: str) -> Object:
        """The pod's status once it is in one of the phases."""
        wait_for(lambda: self.status(name).get("phase") in phases, f"{name} to be {' or '.join(phases)}")
        return self.status(name)

    def wait_for_end(self, name: str) -> Object:
        """How the pod's (first) container ended, once the pod is over."""
        self.wait_for_phase(name, "Succeeded", "Failed")
        terminated: Object = self.state(name)["terminated"]
        return terminated

    def wait_for_log(self, name: str, text: str) -> str:
        return wait_for(lambda: self._log_with(name, text), f"{text!r} in the log of {name}")

    def wait_until_gone(self, name: str) -> None:
        wait_for(lambda: not self.exists(name), f"the end of pod {name}")

    def _log_with(self, name: str, text: str) -> str:
        try:
            log = self.log(name)
        except RestError:  # no container yet
            return ""
        return log if text in log else ""
