"""`LocalCluster`: a cluster in a directory, to be started, stopped and asked; for the command line and for tests.
Blocking throughout. What tests do to the node is in faults.py."""

import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from local_cluster import binaries, build, kubeconfig, processes
from local_cluster.controlplane import ADMIN, NODE
from local_cluster.directory import ClusterDirectory
from local_cluster.faults import NodeFaults
from local_cluster.node.provisioner import PROVISIONER as PROVISIONER_NAME
from local_cluster.node.runs import all_instances
from local_cluster.processes import Process
from local_cluster.rest import Endpoint, Object, RestError
from local_cluster.settings import Settings, default_directory

START_TIMEOUT = 120.0  # seconds; a cold machine with slow disks needs a while, a warm one three
_NODE = "node"
_APISERVER = "kube-apiserver"
_CONTROLLERS, _SCHEDULER = "kube-controller-manager", "kube-scheduler"
COMPONENTS = ("etcd", _APISERVER, _CONTROLLERS, _SCHEDULER, _NODE)
_OBJECTS: tuple[tuple[str, Object], ...] = (
    (
        "/apis/storage.k8s.io/v1/storageclasses",
        {
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": PROVISIONER_NAME,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        },
    ),
    (
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "metadata": {"name": "local-cluster:provisioner"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:persistent-volume-provisioner",
            },
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "local-cluster:provisioner"}
            ],
        },
    ),
)


class LocalCluster(NodeFaults):
    """The cluster in a directory. Any number of these objects may stand for the same cluster."""

    def __init__(
        self,
        directory: Path | None = None,
        settings: Settings | None = None,
        report: build.Report = build.print_progress,
    ) -> None:
        """Without settings: those of the last start, or the defaults."""
        self.directory = ClusterDirectory((directory or default_directory()).absolute())
        self._wanted = settings
        self._report = report

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig."""
        return self.directory.path / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON line per answered request, level Metadata."""
        return self.directory.control_plane().audit_log

    @property
    def admin(self) -> Endpoint:
        """The API server, for requests of one's own."""
        return self._endpoint(self.directory.control_plane().ports.apiserver)

    @property
    def node_endpoint(self) -> Endpoint:
        return self._endpoint(self.directory.control_plane().ports.node)

    def start(self) -> None:
        """Bring up whatever of the cluster does not run, and wait until a pod can be scheduled."""
        programs = binaries.find(self._report)
        self.directory.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked(), contextlib.ExitStack() as starting:
            self._choose_settings()
            living = self.directory.register.living()
            if not living:
                starting.enter_context(self.directory.ports_chosen())
            plane = self.directory.control_plane()
            plane.prepare()
            shutil.copyfile(plane.kubeconfig(ADMIN), self.kubeconfig)
            self.kubeconfig.chmod(0o600)
            self._start(living, "etcd", [programs.path("etcd"), *plane.etcd()])
            self._start(living, _APISERVER, [programs.path(_APISERVER), *plane.apiserver()])
            self._wait_for(self._api_is_ready, "the API server", COMPONENTS[:2])
            for path, body in _OBJECTS:
                self.admin.create(path, body)
            self._start(living, _CONTROLLERS, [programs.path(_CONTROLLERS), *plane.controller_manager()])
            self._start(living, _SCHEDULER, [programs.path(_SCHEDULER), *plane.scheduler()])
            self.start_node()
            self._wait_for(self._can_schedule, "the node to be ready", COMPONENTS)

    def stop(self, grace: float = 0.0) -> None:
        """End everything that was started here, pods' processes included; the directory stays.

        With a grace period in seconds, pods are first asked to end, and their owners told of a disruption.
        """
        if not self.directory.exists:
            return
        with self._locked():
            living = self.directory.register.living()
            if grace and _NODE in living:
                with contextlib.suppress(OSError, RestError):
                    self.node_endpoint.with_timeout(grace + 10).post("/shutdown", {"grace": grace})
            self._stop(living, _NODE)
            self._kill_pods()
            self._stop(living, _SCHEDULER, _CONTROLLERS, _APISERVER)
            self._stop(living, "etcd")
            self.directory.register.write([])

    def purge(self) -> None:
        """Stop, and delete the directory with all volumes."""
        self.stop()
        if self.directory.exists:
            shutil.rmtree(self.directory.path)

    def running(self) -> dict[str, Process]:
        """What of the cluster runs, by name; the complete set is in COMPONENTS."""
        return self.directory.register.living()

    def start_node(self) -> None:
        """Start the node program; a new one adopts the pods that an earlier one left running. Returns once it has."""
        command = [sys.executable, "-m", "local_cluster.node", str(self.directory.path)]
        self._start(self.running(), _NODE, command)
        self._wait_for(lambda: self.node_endpoint.text("/healthz") == "ok", "the node", COMPONENTS)

    def kill_node(self) -> None:
        """SIGKILL the node program. Pods go on; `start_node` brings it back."""
        if process := self.directory.register.living().get(_NODE):
            process.stop(grace=0)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig for a service account, with a token for a year, in the cluster's directory."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = self.admin.post(path, {"spec": {"expirationSeconds": 365 * 24 * 3600}})["status"]["token"]
        plane = self.directory.control_plane()
        target = plane.kubeconfig(f"{namespace}.{name}")
        kubeconfig.write_for_token(target, plane.server, plane.authority, name, token, namespace)
        return target

    def claim_directory(self, namespace: str, claim: str, timeout: float = 20.0) -> Path:
        """The directory behind a claim, once it is bound."""
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}"

        def volume() -> str:
            return str(self.admin.get(path)["spec"].get("volumeName", ""))

        self._wait_for(lambda: bool(volume()), f"a volume for claim {namespace}/{claim}", COMPONENTS, timeout)
        return Path(self.admin.get(f"/api/v1/persistentvolumes/{volume()}")["spec"]["hostPath"]["path"])

    def evict(self, namespace: str, pod: str) -> None:
        """Drain one pod through the Eviction API."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        self.admin.post(f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body)

    def _choose_settings(self) -> None:
        """New settings reach a running cluster by a restart of its node, which pods survive."""
        current = self.directory.settings() if self.directory.exists else None
        wanted = self._wanted or current or Settings()
        if wanted == current:
            return
        living = self.directory.register.living()
        if current and living and wanted.timing != current.timing:
            raise RuntimeError("the cluster runs with another timing; stop it first (`down` keeps its state)")
        self.directory.write_settings(wanted)
        self._stop(living, _NODE)

    def _endpoint(self, port: int) -> Endpoint:
        authority = self.directory.control_plane().authority
        return Endpoint(port, authority.certificate("ca"), authority.certificate(ADMIN), authority.key(ADMIN))

    def _start(self, living: dict[str, Process], name: str, command: list[str]) -> None:
        if name not in living:
            log = self.directory.logs / f"{name}.log"
            self.directory.register.add(processes.start(name, command, log, os.environ))

    def _stop(self, living: dict[str, Process], *names: str) -> None:
        """All at once: each takes its time to end."""
        found = [living[name] for name in names if name in living]
        for process in found:
            process.terminate()
        for process in found:
            process.stop()

    def _kill_pods(self) -> None:
        folders = self.directory.pods.glob("*/")
        instances = [instance for folder in folders for instance in all_instances(folder) if instance.is_alive]
        for instance in instances:
            instance.kill()
        self._wait_for(lambda: not any(one.is_alive for one in instances), "the end of all pods", timeout=30.0)

    def _api_is_ready(self) -> bool:
        return self.admin.text("/readyz") == "ok"

    def _can_schedule(self) -> bool:
        """The node is ready and no longer tainted for being new, and pods find their service account."""
        node = self.admin.get(f"/api/v1/nodes/{NODE}")
        conditions = {one["type"]: one["status"] for one in node["status"].get("conditions", ())}
        self.admin.get("/api/v1/namespaces/default/serviceaccounts/default")
        return conditions.get("Ready") == "True" and not node["spec"].get("taints")

    def _wait_for(
        self, holds: Callable[[], bool], what: str, needs: tuple[str, ...] = (), timeout: float = START_TIMEOUT
    ) -> None:
        """Poll; fail at once when a component that it depends on has ended."""
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(OSError, RestError):
                if holds():
                    return
            for name in set(needs) - self.running().keys():
                log = self.directory.logs / f"{name}.log"
                raise RuntimeError(f"waiting for {what}: {name} has ended; its log is {log}\n{_tail(log)}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout:.0f} s in vain for {what}; logs are in {self.directory.logs}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One start or stop of a cluster at a time."""
        with (self.directory.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
