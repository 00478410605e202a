"""The API's JSON -> frozen models: the one place that knows how pods are written, and what may be left out."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from local_cluster.node.models import (
    Claim,
    Container,
    Deletion,
    DownwardFile,
    DownwardSource,
    EmptyDirectory,
    EntriesSource,
    FieldReference,
    Files,
    HostPath,
    Item,
    Keyed,
    KeyReference,
    Mount,
    Pod,
    Probe,
    ResourceReference,
    TokenSource,
    Unsupported,
    Variable,
    VariablesFrom,
    Volume,
)

Raw = dict[str, Any]
Parsed = TypeVar("Parsed")
_FILE_MODE = 0o644


def pod(raw: Raw) -> Pod:
    metadata, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    grace = spec.get("terminationGracePeriodSeconds")
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        hostname=spec.get("hostname") or metadata["name"],
        subdomain=spec.get("subdomain", ""),
        node=spec.get("nodeName", ""),
        service_account=spec.get("serviceAccountName", "default"),
        restart_policy=spec.get("restartPolicy", "Always"),
        grace=30.0 if grace is None else float(grace),
        deadline=spec.get("activeDeadlineSeconds"),
        deletion=_deletion(metadata),
        phase=status.get("phase", "Pending"),
        address=status.get("podIP", ""),
        start_time=status.get("startTime", ""),
        conditions=_each(status, "conditions", dict),
        containers=_each(spec, "containers", _container),
        init_containers=_each(spec, "initContainers", _container),
        volumes={volume["name"]: _volume(volume) for volume in spec.get("volumes") or ()},
        generation=metadata.get("generation"),
    )


def _deletion(metadata: Raw) -> Deletion | None:
    if not metadata.get("deletionTimestamp"):
        return None
    return Deletion(float(metadata.get("deletionGracePeriodSeconds") or 0))


def _container(raw: Raw) -> Container:
    resources = raw.get("resources") or {}
    return Container(
        name=raw["name"],
        image=raw.get("image", ""),
        pull_policy=raw.get("imagePullPolicy", "IfNotPresent"),
        command=tuple(raw.get("command") or ()),
        args=tuple(raw.get("args") or ()),
        working_directory=raw.get("workingDir", ""),
        variables=_each(raw, "env", _variable),
        variables_from=_each(raw, "envFrom", _variables_from),
        mounts=_each(raw, "volumeMounts", _mount),
        limits=resources.get("limits") or {},
        requests=resources.get("requests") or {},
        termination_path=raw.get("terminationMessagePath") or "/dev/termination-log",
        logs_are_fallback=raw.get("terminationMessagePolicy") == "FallbackToLogsOnError",
        readiness=_probe(raw["readinessProbe"], raw) if raw.get("readinessProbe") else None,
    )


def _variable(raw: Raw) -> Variable:
    source = raw.get("valueFrom")
    return Variable(raw["name"], _reference(source) if source else raw.get("value", ""))


def _reference(source: Raw) -> str | FieldReference | ResourceReference | KeyReference:
    if "fieldRef" in source or "resourceFieldRef" in source:
        return _downward(source)
    if "configMapKeyRef" in source:
        return _key(source["configMapKeyRef"], "configmaps")
    if "secretKeyRef" in source:
        return _key(source["secretKeyRef"], "secrets")
    return ""


def _downward(source: Raw) -> FieldReference | ResourceReference:
    if "fieldRef" in source:
        return FieldReference(source["fieldRef"]["fieldPath"])
    reference = source["resourceFieldRef"]
    divisor = reference.get("divisor", "1")
    return ResourceReference(
        reference.get("containerName", ""), reference["resource"], "1" if divisor == "0" else divisor
    )


def _key(raw: Raw, kind: Keyed) -> KeyReference:
    return KeyReference(kind, raw["name"], raw["key"], bool(raw.get("optional")))


def _variables_from(raw: Raw) -> VariablesFrom:
    kind: Keyed = "configmaps" if "configMapRef" in raw else "secrets"
    reference = raw.get("configMapRef") or raw.get("secretRef") or {}
    return VariablesFrom(kind, reference.get("name", ""), raw.get("prefix", ""), bool(reference.get("optional")))


def _mount(raw: Raw) -> Mount:
    # A plain subPath is not expanded: doubled dollars keep it from being.
    plain = raw.get("subPath", "").replace("$", "$$")
    sub_path = raw.get("subPathExpr") or plain
    return Mount(raw["name"], raw["mountPath"], sub_path, bool(raw.get("readOnly")))


def _volume(raw: Raw) -> Volume:
    if "emptyDir" in raw:
        return EmptyDirectory()
    if "hostPath" in raw:
        return HostPath(raw["hostPath"]["path"], raw["hostPath"].get("type", ""))
    if "persistentVolumeClaim" in raw:
        return Claim(raw["persistentVolumeClaim"]["claimName"])
    if "projected" in raw:
        return _projected(raw["projected"])
    for kind in ("configMap", "secret", "downwardAPI"):
        if kind in raw:
            return Files((_source(kind, raw[kind]),), raw[kind].get("defaultMode", _FILE_MODE))
    return Unsupported(next((key for key in raw if key != "name"), "nothing"))


def _projected(raw: Raw) -> Files:
    sources = [_source(kind, source) for entry in raw.get("sources") or () for kind, source in entry.items()]
    return Files(tuple(sources), raw.get("defaultMode", _FILE_MODE))


def _source(kind: str, raw: Raw) -> EntriesSource | DownwardSource | TokenSource:
    items = tuple(Item(item["key"], item["path"], item.get("mode")) for item in raw.get("items") or () if "key" in item)
    optional = bool(raw.get("optional"))
    match kind:
        case "configMap":
            return EntriesSource("configmaps", raw["name"], items, optional)
        case "secret":
            return EntriesSource("secrets", raw.get("secretName") or raw["name"], items, optional)
        case "downwardAPI":
            return DownwardSource(_each(raw, "items", _downward_file))
        case "serviceAccountToken":
            return TokenSource(raw["path"], raw.get("audience", ""), raw.get("expirationSeconds", 3600))
    raise ValueError(f"volumes of kind {kind} are not supported here")


def _downward_file(raw: Raw) -> DownwardFile:
    return DownwardFile(raw["path"], raw.get("mode"), _downward(raw))


def _probe(raw: Raw, container: Raw) -> Probe:
    http, tcp = raw.get("httpGet"), raw.get("tcpSocket")
    port = (http or tcp or {}).get("port")
    return Probe(
        http_path=http.get("path", "/") if http else "",
        scheme=(http or {}).get("scheme", "HTTP").lower(),
        port=_port(port, container) if port is not None else None,
        command=tuple((raw.get("exec") or {}).get("command") or ()),
        initial_delay=float(raw.get("initialDelaySeconds") or 0),
        period=float(raw.get("periodSeconds") or 10),
        timeout=float(raw.get("timeoutSeconds") or 1),
        success_threshold=raw.get("successThreshold") or 1,
        failure_threshold=raw.get("failureThreshold") or 3,
    )


def _port(port: int | str, container: Raw) -> int:
    """A port may be given by the name that the container gives it."""
    if isinstance(port, int):
        return port
    named = {entry.get("name"): int(entry["containerPort"]) for entry in container.get("ports") or ()}
    return named[port] if port in named else int(port)


def _each(raw: Raw, key: str, parse: Callable[[Any], Parsed]) -> tuple[Parsed, ...]:
    entries: Iterable[Any] = raw.get(key) or ()
    return tuple(parse(entry) for entry in entries)
