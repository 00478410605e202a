"""`trainer --config job.yaml`: the same manifest without a cluster."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.constructor import ConstructorError

from trainer.checkpoint.folder import next_attempt
from trainer.config import Launch, Mounts, termination_log
from trainer.errors import UserError
from trainer.pod.ports import free_port
from trainingjob_api.contract import KIND, default_sub_path
from trainingjob_api.progress import RunConfig
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec.pod import ConfigMapVolume
from trainingjob_api.spec.training import Training

_LOCAL_UID = "local"


@dataclass(frozen=True)
class Places:
    """Where a person wants things on this machine."""

    checkpoints: Path
    mounts: Mapping[str, str]
    scratch: Path
    """For the contents of ConfigMaps that the manifest brings along."""


def launch_from_manifest(
    path: Path, name: str | None, places: Places, changes: Mapping[str, Any] | None = None
) -> Launch:
    """All ranks of the job on this machine: nodes x processesPerNode.

    changes make a variant of it: they are merged into spec.training, and what it is trained with names its folder, so
    that it never takes up what was trained with anything else. Its model stays there, whatever export.path says: that
    is for one model.
    """
    documents = [document for document in documents_in(path) if isinstance(document, dict)]
    job = _the_job(documents, name, path, changes or {})
    folder = places.checkpoints / (job.spec.checkpoint.sub_path or default_sub_path(*_full_name(job)))
    if job.spec.checkpoint.start_fresh:  # no object has a UID here: a recipe has a folder of its own
        folder = folder.with_name(f"{folder.name}-{_short(repr(sorted(job.spec.identity.items())))}")
    training = job.spec.training
    if changes is not None:
        training = training and _exported_beside_its_checkpoints(training)
        folder = folder.with_name(f"{folder.name}-{_digest(documents, job, places)}")
    mounts = Mounts({**_config_maps(documents, job, places.scratch), **places.mounts})
    run = RunConfig(
        namespace=job.metadata.namespace,
        name=job.metadata.name,
        uid=job.metadata.uid or _LOCAL_UID,
        attempt=next_attempt(folder),
        training=training,
        script=job.spec.script,
        checkpoint_path=str(folder),
        checkpoint_every=job.spec.checkpoint.every,
        keep_last=job.spec.checkpoint.keep_last,
        deadlines=job.spec.deadlines,
        identity=job.spec.identity,
    )
    return Launch(
        run=run,
        local_world_size=job.spec.nodes * job.spec.local_world_size,
        port=free_port(),
        termination_log=termination_log(os.environ),
        mounts=mounts,
        environment=_environment(job, mounts),
    )


def _exported_beside_its_checkpoints(training: Training) -> Training:
    export = training.export and training.export.model_copy(update={"path": None})
    return training.model_copy(update={"export": export})


def _digest(documents: Sequence[dict[str, Any]], job: TrainingJob, places: Places) -> str:
    """Of all that a training's numbers come from: the recipe, its variables, and the data and code that it is given."""
    spec = job.spec.to_json_object()
    config_maps = [document for document in documents if document.get("kind") == "ConfigMap"]
    mounts = {there: str(Path(here).resolve()) for there, here in places.mounts.items()}
    text = repr([spec.get("training"), spec["pod"], config_maps, mounts])
    return _short(text)


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _environment(job: TrainingJob, mounts: Mounts) -> dict[str, str]:
    """The pod's variables; where modules lie is a path like those of the recipe."""
    values = {each.name: each.value for each in job.spec.pod.env or [] if each.value is not None}
    if folders := values.get("PYTHONPATH"):
        values["PYTHONPATH"] = os.pathsep.join(str(mounts.locate(folder)) for folder in folders.split(":"))
    return values


def _full_name(job: TrainingJob) -> tuple[str, str]:
    return job.metadata.namespace, job.metadata.name


def documents_in(path: Path) -> list[Any]:
    """Of a YAML file."""
    try:
        return list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=_Loader))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path} is not UTF-8: row {row} holds the byte 0x{error.object[error.start]:02x}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}") from error


class _Loader(yaml.SafeLoader):
    """Says where a field is given twice, or a value looks like a date or number and is none, such as 2024-13-45."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise ConstructorError(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise ConstructorError(problem=str(error), problem_mark=node.start_mark) from error


def _the_job(
    documents: Sequence[dict[str, Any]], name: str | None, path: Path, changes: Mapping[str, Any]
) -> TrainingJob:
    jobs = [document for document in documents if document.get("kind") == KIND]
    names = [_name_of(job) for job in jobs]
    chosen = [job for job, its_name in zip(jobs, names, strict=True) if name in (None, its_name)]
    if len(chosen) != 1:
        found = f"it holds {', '.join(map(str, names))}; choose with --name" if names else "it holds none"
        raise UserError(f"{path}: one {KIND} is needed, {found}")
    if changes and "script" in (chosen[0].get("spec") or {}):
        raise UserError(f"{path}: variants are of spec.training, and this job has a script")
    try:
        return TrainingJob.model_validate(merged(chosen[0], {"spec": {"training": changes}} if changes else {}))
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, problem['loc'])) or KIND}: {problem['msg']}" for problem in error.errors()]
        raise UserError("\n".join([f"{path}:", *lines])) from error


def _name_of(document: Mapping[str, Any]) -> str | None:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else None


def merged(value: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) applied: null removes a field, objects are merged, all else is replaced."""
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, change in changes.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), change) if isinstance(change, Mapping) else change
    return result


def _config_maps(documents: Sequence[dict[str, Any]], job: TrainingJob, scratch: Path) -> dict[str, str]:
    """Mounts for ConfigMaps in the same file, so that a manifest with its data runs as it is."""
    maps = {_name_of(document): document for document in documents if document.get("kind") == "ConfigMap"}
    if None in maps:
        raise UserError("a ConfigMap in the manifest has no metadata.name: give it the name that a volume asks for")
    volumes = {volume.name: volume.config_map for volume in job.spec.pod.volumes or []}
    mounts: dict[str, str] = {}
    for mount in job.spec.pod.volume_mounts or []:
        source = volumes.get(mount.name)
        if source is not None and source.name in maps:
            folder = scratch / mount.name
            _write_files(folder, source, maps[source.name])
            mounts[mount.mount_path] = str(folder / (mount.sub_path or ""))
    return mounts


def _write_files(folder: Path, source: ConfigMapVolume, config_map: Mapping[str, Any]) -> None:
    content = {key: text.encode() for key, text in _texts(source, "data", config_map).items()}
    try:
        content |= {key: base64.b64decode(text) for key, text in _texts(source, "binaryData", config_map).items()}
    except ValueError as error:  # letters that are not ASCII are no binascii.Error
        raise UserError(f"ConfigMap {source.name}: binaryData is not base64: {error}") from error
    wanted = {item.key: item.path for item in source.items} if source.items else {key: key for key in content}
    for key, path in wanted.items():
        if key not in content or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise UserError(f"ConfigMap {source.name}: the volume's item {key!r} -> {path!r} is not possible")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content[key])


def _texts(source: ConfigMapVolume, field: str, config_map: Mapping[str, Any]) -> dict[str, str]:
    """What a field of a ConfigMap holds; a UserError names what the API server would refuse."""
    content = config_map.get(field) or {}
    if not isinstance(content, dict):
        raise UserError(f"ConfigMap {source.name}: {field} must map names to strings, not be {content!r}")
    for key, text in content.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise UserError(f"ConfigMap {source.name}: {field}.{key} and its name must be strings: put both in quotes")
    return content
