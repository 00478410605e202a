"""Kueue itself beside the embedded cluster: its controller as a process, CRDs and webhooks from the same Go module."""

import base64
import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from local_cluster import processes
from local_cluster.certificates import Identity
from local_cluster.cluster import LocalCluster
from local_cluster.ports import reserved_ports
from support.cluster import kubectl_of
from support.go_programs import built, sources_of
from support.waiting import wait_for

CONTROLLER = Path(__file__).parent / "controller"
METRICS_CERTIFICATE = Path("/etc/kueue/metrics/certs")
"""Where this release of Kueue looks, whatever its configuration says and whether it serves metrics or not."""

Object = dict[str, Any]


class Kueue:
    """One controller for one cluster."""

    def __init__(self, cluster: LocalCluster, folder: Path) -> None:
        self._cluster, self._folder = cluster, folder
        self._kubectl = kubectl_of(cluster.kubeconfig, "kueue-system")

    @property
    def log(self) -> Path:
        return self._folder / "kueue.log"

    def start(self) -> None:
        program = built("kueue", CONTROLLER, "sigs.k8s.io/kueue/cmd/kueue")
        module = sources_of(CONTROLLER, "sigs.k8s.io/kueue")
        self._kubectl("create", "namespace", "kueue-system")
        definitions = module / "config/components/crd/bases"
        self._kubectl("apply", "--server-side", "-f", str(definitions))
        self._kubectl("wait", "--for=condition=Established", "--timeout=300s", "-f", str(definitions))
        certificates = self._certificates()
        with reserved_ports(1) as (port,):
            configuration = self._folder / "kueue.yaml"
            configuration.write_text(yaml.safe_dump(_configuration(port, certificates)))
            command = [str(program), f"--config={configuration}", "--feature-gates=VisibilityOnDemand=false"]
            environment = {**os.environ, "KUBECONFIG": str(self._cluster.kubeconfig)}
            self._process = processes.start("kueue", command, self.log, environment)
            hooks = _by_url(module / "config/components/webhook/manifests.yaml", port, self._authority())
            self._kubectl("apply", "--server-side", "-f", "-", stdin=hooks)
            wait_for(self._answers, f"Kueue's webhooks; its log is {self.log}", interval=1)

    def stop(self) -> None:
        self._process.stop()

    def _answers(self) -> bool:
        flavor = {
            "apiVersion": "kueue.x-k8s.io/v1beta2",
            "kind": "ResourceFlavor",
            "metadata": {"name": "probe"},
        }
        answer = self._kubectl.run("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(flavor))
        assert self._process.is_alive, f"Kueue has ended: {self.log.read_text()[-2000:]}"
        return answer.returncode == 0

    def _authority(self) -> Path:
        return self._cluster.directory.control_plane().authority.certificate("ca")

    def _certificates(self) -> Path:
        """A folder with the certificate of the webhooks; that of the metrics, which nobody asks for, is the same."""
        authority = self._cluster.directory.control_plane().authority
        authority.issue(Identity("kueue", "kueue", hosts=("127.0.0.1",)))
        folder = self._folder / "certificates"
        for target in (folder, METRICS_CERTIFICATE):
            target.mkdir(parents=True, exist_ok=True)  # PermissionError: docs/queues.md says what to do
            shutil.copy(authority.certificate("kueue"), target / "tls.crt")
            shutil.copy(authority.key("kueue"), target / "tls.key")
        return folder


def _configuration(port: int, certificates: Path) -> Object:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": "0"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"host": "127.0.0.1", "port": port, "certDir": str(certificates)},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "integrations": {"frameworks": ["batch/job"]},
    }


def _by_url(manifests: Path, port: int, authority: Path) -> str:
    """Kueue's webhook configurations, but reached at a port of this machine instead of through a Service."""
    documents = [each for each in yaml.safe_load_all(manifests.read_text()) if each]
    bundle = base64.b64encode(authority.read_bytes()).decode()
    for document in documents:
        for hook in document["webhooks"]:
            path = hook["clientConfig"]["service"]["path"]
            hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}", "caBundle": bundle}
    return str(yaml.safe_dump_all(documents))
