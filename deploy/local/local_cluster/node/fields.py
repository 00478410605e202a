"""The downward API: a pod's own fields and resources as text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local_cluster.node import quantities
from local_cluster.node.models import Container, FieldReference, Pod, ResourceReference

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


@dataclass(frozen=True)
class Fields:
    """What the references of one pod can name."""

    pod: Pod
    address: str
    host: str
    allocatable: Mapping[str, str]
    """The node's resources: what a container may use that has no limit."""

    def text(self, reference: FieldReference | ResourceReference, container: Container | None = None) -> str:
        """The value; `container` is the one that a resource reference without a name means."""
        if isinstance(reference, FieldReference):
            return self._field(reference.path)
        return self._resource(reference, container)

    def _field(self, path: str) -> str:
        if found := _SUBSCRIPT.fullmatch(path):
            return self._map(found[1]).get(found[2], "")
        if path in ("metadata.labels", "metadata.annotations"):
            return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(self._map(path[9:]).items()))
        values = {
            "metadata.name": self.pod.name,
            "metadata.namespace": self.pod.namespace,
            "metadata.uid": self.pod.uid,
            "spec.nodeName": self.pod.node,
            "spec.serviceAccountName": self.pod.service_account,
            "status.podIP": self.address,
            "status.podIPs": self.address,
            "status.hostIP": self.host,
            "status.hostIPs": self.host,
        }
        return values[path]

    def _map(self, name: str) -> Mapping[str, str]:
        return self.pod.labels if name == "labels" else self.pod.annotations

    def _resource(self, reference: ResourceReference, container: Container | None) -> str:
        named = [one for one in (*self.pod.containers, *self.pod.init_containers) if one.name == reference.container]
        owner = named[0] if named else container
        assert owner, "the API server asks for containerName in volumes"
        kind, _, name = reference.resource.partition(".")
        given = owner.limits if kind == "limits" else owner.requests
        value = given.get(name) or (self.allocatable.get(name, "0") if kind == "limits" else "0")
        return str(quantities.in_units(value, reference.divisor))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
