"""Pods as the node understands them: parsed once from the API's JSON (see parsing.py), frozen from then on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local_cluster.node.addresses import PodName

RestartPolicy = Literal["Always", "OnFailure", "Never"]
Keyed = Literal["configmaps", "secrets"]


@dataclass(frozen=True)
class FieldReference:
    """A field of the pod itself, such as metadata.labels['app']."""

    path: str


@dataclass(frozen=True)
class ResourceReference:
    """A container's request or limit, such as limits.memory, in units of the divisor."""

    container: str
    resource: str
    divisor: str


@dataclass(frozen=True)
class KeyReference:
    """One entry of a ConfigMap or a Secret."""

    kind: Keyed
    name: str
    key: str
    optional: bool


@dataclass(frozen=True)
class Variable:
    name: str
    value: str | FieldReference | ResourceReference | KeyReference


@dataclass(frozen=True)
class VariablesFrom:
    """All entries of a ConfigMap or a Secret as variables."""

    kind: Keyed
    name: str
    prefix: str
    optional: bool


@dataclass(frozen=True)
class Item:
    """Where one entry goes in a volume."""

    key: str
    path: str
    mode: int | None


@dataclass(frozen=True)
class EntriesSource:
    """Entries of a ConfigMap or a Secret as files; all of them when no items are named."""

    kind: Keyed
    name: str
    items: tuple[Item, ...]
    optional: bool


@dataclass(frozen=True)
class DownwardFile:
    path: str
    mode: int | None
    source: FieldReference | ResourceReference


@dataclass(frozen=True)
class DownwardSource:
    files: tuple[DownwardFile, ...]


@dataclass(frozen=True)
class TokenSource:
    """A token of the pod's service account."""

    path: str
    audience: str
    seconds: int


@dataclass(frozen=True)
class Files:
    """A volume whose files the node writes: configMap, secret, downwardAPI, projected."""

    sources: tuple[EntriesSource | DownwardSource | TokenSource, ...]
    mode: int


@dataclass(frozen=True)
class EmptyDirectory:
    pass


@dataclass(frozen=True)
class HostPath:
    path: str
    kind: str


@dataclass(frozen=True)
class Claim:
    name: str


@dataclass(frozen=True)
class Unsupported:
    kind: str


Volume = Files | EmptyDirectory | HostPath | Claim | Unsupported


@dataclass(frozen=True)
class Mount:
    volume: str
    path: str
    sub_path: str
    """May hold $(NAME) when it came as subPathExpr; expanding a plain subPath changes nothing else."""
    read_only: bool


@dataclass(frozen=True)
class Probe:
    """How readiness is asked for; exactly one of the three ways is given."""

    http_path: str
    scheme: str
    port: int | None
    command: tuple[str, ...]
    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int


@dataclass(frozen=True)
class Container:
    name: str
    image: str
    pull_policy: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    working_directory: str
    variables: tuple[Variable, ...]
    variables_from: tuple[VariablesFrom, ...]
    mounts: tuple[Mount, ...]
    limits: Mapping[str, str]
    requests: Mapping[str, str]
    termination_path: str
    logs_are_fallback: bool
    readiness: Probe | None


@dataclass(frozen=True)
class Deletion:
    """Somebody deleted the pod and gave it so many seconds to end."""

    seconds: float


@dataclass(frozen=True)
class Pod:
    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    hostname: str
    subdomain: str
    node: str
    service_account: str
    restart_policy: RestartPolicy
    grace: float
    deadline: float | None
    deletion: Deletion | None
    phase: str
    address: str
    start_time: str
    conditions: tuple[Mapping[str, Any], ...]
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...]
    volumes: Mapping[str, Volume]
    generation: int | None = None

    @property
    def dns_name(self) -> PodName:
        return PodName(self.namespace, self.subdomain, self.hostname)

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    @property
    def is_finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
