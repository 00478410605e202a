"""The control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on the loopback interface,
each with credentials of its own. Everything here turns a directory and a few ports into command lines."""

from dataclasses import dataclass
from pathlib import Path

from local_cluster import kubeconfig
from local_cluster.certificates import Authority, Identity
from local_cluster.processes import write_atomically
from local_cluster.settings import Timing

NODE, WITNESS = "local", "witness"
ADMIN, NODE_USER, WITNESS_USER, PROVISIONER = "admin", "node", "witness", "provisioner"
CONTROLLERS, SCHEDULER = "controller-manager", "scheduler"
SERVICE_RANGE, KUBERNETES_SERVICE = "10.96.0.0/16", "10.96.0.1"
LOOPBACK = "127.0.0.1"

IDENTITIES = (
    Identity(ADMIN, "admin", "system:masters"),
    Identity(CONTROLLERS, "system:kube-controller-manager"),
    Identity(SCHEDULER, "system:kube-scheduler"),
    Identity(NODE_USER, f"system:node:{NODE}", "system:nodes", (LOOPBACK, "localhost")),
    Identity(WITNESS_USER, f"system:node:{WITNESS}", "system:nodes"),
    Identity(PROVISIONER, "local-cluster:provisioner"),
    Identity("kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
    Identity("etcd", "etcd", hosts=(LOOPBACK,)),
    Identity(
        "apiserver",
        "kube-apiserver",
        hosts=(LOOPBACK, "localhost", "kubernetes", "kubernetes.default.svc", KUBERNETES_SERVICE),
    ),
)

# Metadata of every request once it is answered: tests count writes, people see who did what.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, resources: [{group: coordination.k8s.io, resources: [leases]}]}
- {level: None, nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]}
- level: Metadata
"""

# Pods' addresses lie in 127.0.0.0/8, which the API refuses in endpoints: these controllers would only fail. Nothing
# here reads endpoints: there is no kube-proxy, and the node resolves the names of peers itself.
_WITHOUT = ("endpoints-controller", "endpointslice-controller", "endpointslice-mirroring-controller")


@dataclass(frozen=True)
class Ports:
    """Free ports, chosen once per directory, so that kubeconfigs stay valid over restarts."""

    etcd: int
    etcd_peer: int
    apiserver: int
    node: int


@dataclass(frozen=True)
class ControlPlane:
    """The directory and ports of one control plane."""

    directory: Path
    ports: Ports
    timing: Timing

    @property
    def authority(self) -> Authority:
        return Authority(self.directory / "pki")

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.apiserver}"

    @property
    def audit_log(self) -> Path:
        return self.directory / "logs" / "audit.log"

    def kubeconfig(self, identity: str) -> Path:
        return self.directory / "kubeconfigs" / f"{identity}.yaml"

    def prepare(self) -> None:
        """Write what the components read: certificates, kubeconfigs, the audit policy."""
        authority = self.authority
        authority.create_root()
        authority.create_key("service-account")
        for identity in IDENTITIES:
            authority.issue(identity)
        for name in (ADMIN, CONTROLLERS, SCHEDULER, NODE_USER, PROVISIONER):
            kubeconfig.write_for_certificate(self.kubeconfig(name), self.server, authority, name)
        self.audit_log.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.directory / "audit-policy.yaml", AUDIT_POLICY)

    def etcd(self) -> list[str]:
        client, peer = (f"https://{LOOPBACK}:{port}" for port in (self.ports.etcd, self.ports.etcd_peer))
        return [
            f"--data-dir={self.directory / 'etcd'}",
            "--unsafe-no-fsync",  # half the start-up time, for a cluster that need not survive a power cut
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            *self._tls("etcd", "--cert-file", "--key-file"),
            *self._tls("etcd", "--peer-cert-file", "--peer-key-file"),
            "--client-cert-auth",
            "--peer-client-cert-auth",
            f"--trusted-ca-file={self._ca}",
            f"--peer-trusted-ca-file={self._ca}",
            "--log-level=warn",
        ]

    def apiserver(self) -> list[str]:
        key = self.authority.key("service-account")
        return [
            f"--etcd-servers=https://{LOOPBACK}:{self.ports.etcd}",
            f"--etcd-cafile={self._ca}",
            *self._tls("etcd", "--etcd-certfile", "--etcd-keyfile"),
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={LOOPBACK}",
            "--endpoint-reconciler-type=none",  # a loopback address is refused there, too
            f"--secure-port={self.ports.apiserver}",
            *self._tls("apiserver", "--tls-cert-file", "--tls-private-key-file"),
            f"--client-ca-file={self._ca}",
            *self._tls("kubelet-client", "--kubelet-client-certificate", "--kubelet-client-key"),
            f"--kubelet-certificate-authority={self._ca}",
            "--kubelet-preferred-address-types=InternalIP",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction,PodSecurity",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--default-not-ready-toleration-seconds={self.timing.evict_after}",
            f"--default-unreachable-toleration-seconds={self.timing.evict_after}",
            f"--audit-policy-file={self.directory / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-maxsize=256",
            "--audit-log-maxbackup=1",
            "--profiling=false",
        ]

    def controller_manager(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig(CONTROLLERS)}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--secure-port=0",  # nobody scrapes it
            f"--service-account-private-key-file={self.authority.key('service-account')}",
            f"--root-ca-file={self._ca}",
            *self._tls("ca", "--cluster-signing-cert-file", "--cluster-signing-key-file"),
            f"--controllers=*,{','.join(f'-{name}' for name in _WITHOUT)}",
            f"--node-monitor-grace-period={self.timing.lost_after}s",
            f"--node-monitor-period={min(5.0, self.timing.lost_after / 5)}s",
            "--profiling=false",
        ]

    def scheduler(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig(SCHEDULER)}",
            "--leader-elect=false",
            "--secure-port=0",
            "--profiling=false",
        ]

    @property
    def _ca(self) -> Path:
        return self.authority.certificate("ca")

    def _tls(self, name: str, certificate_flag: str, key_flag: str) -> list[str]:
        certificate, key = self.authority.certificate(name), self.authority.key(name)
        return [f"{certificate_flag}={certificate}", f"{key_flag}={key}"]
