"""The environment of a container: clean, so that nothing of the node's own leaks into it, and in Kubernetes' order:
what every container has, envFrom, env (which may refer to what came before)."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local_cluster.node.expansion import expand
from local_cluster.node.fields import Fields
from local_cluster.node.models import Container, FieldReference, KeyReference, ResourceReference, VariablesFrom
from local_cluster.node.sources import MissingError, NotReadyError, Sources

# Without these the same programs would not run on some machines: libraries in odd places, a company's CA.
PASSED_ON = ("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "TZ")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def search_path(rest: str = _SYSTEM_PATH) -> str:
    """PATH with this Python environment first: it is what the images of the table stand for."""
    return f"{Path(sys.executable).parent}:{rest}"


def base(hostname: str, home: Path, server: tuple[str, int]) -> dict[str, str]:
    """What every container has before its pod says anything."""
    host, port = server
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "PATH": search_path(),
        "HOME": str(home),
        "HOSTNAME": hostname,
        "LANG": "C.UTF-8",
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        # The addresses of pods are on the loopback interface, which both libraries avoid unless told.
        "GLOO_SOCKET_IFNAME": "lo",
        "NCCL_SOCKET_IFNAME": "lo",
    }


async def variables(container: Container, fields: Fields, sources: Sources, given: Mapping[str, str]) -> dict[str, str]:
    """The pod's own variables, resolved but not yet translated. NotReadyError when what they refer to is missing."""
    try:
        found: dict[str, str] = {}
        for group in container.variables_from:
            found |= await _group(group, sources)
        for variable in container.variables:
            if isinstance(variable.value, str):
                found[variable.name] = expand(variable.value, {**given, **found})
            elif (value := await _referred(variable.value, container, fields, sources)) is not None:
                found[variable.name] = value
        return found
    except MissingError as missing:
        raise NotReadyError("CreateContainerConfigError", str(missing)) from missing


async def _group(group: VariablesFrom, sources: Sources) -> dict[str, str]:
    try:
        entries = await sources.entries(group.kind, group.name)
    except MissingError:
        if group.optional:
            return {}
        raise
    return {group.prefix + key: value.decode(errors="replace") for key, value in entries.items()}


async def _referred(
    reference: FieldReference | ResourceReference | KeyReference, container: Container, fields: Fields, sources: Sources
) -> str | None:
    if isinstance(reference, KeyReference):
        return await sources.key(reference)
    return fields.text(reference, container)
