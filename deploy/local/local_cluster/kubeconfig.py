"""Kubeconfig files. Certificates are embedded, so a file can be copied and used on its own."""

import base64
from pathlib import Path

import yaml

from local_cluster.certificates import Authority
from local_cluster.processes import write_atomically

CLUSTER = "trainingjob-local"


def write_for_certificate(path: Path, server: str, authority: Authority, identity: str) -> None:
    """A kubeconfig for the holder of one of the authority's client certificates."""
    user = {
        "client-certificate-data": _encoded(authority.certificate(identity)),
        "client-key-data": _encoded(authority.key(identity)),
    }
    _write(path, server, authority, identity, user)


def write_for_token(path: Path, server: str, authority: Authority, name: str, token: str, namespace: str) -> None:
    """A kubeconfig for the bearer of a service account's token."""
    _write(path, server, authority, name, {"token": token}, namespace)


def _write(
    path: Path, server: str, authority: Authority, name: str, user: dict[str, str], namespace: str = "default"
) -> None:
    cluster = {"server": server, "certificate-authority-data": _encoded(authority.certificate("ca"))}
    context = {"cluster": CLUSTER, "user": name, "namespace": namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": CLUSTER, "context": context}],
        "current-context": CLUSTER,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, yaml.safe_dump(document))


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
