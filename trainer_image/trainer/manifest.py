"""`trainer --config job.yaml`: the same manifest without a cluster."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from trainer.admission import admitted
from trainer.checkpoint.folder import next_attempt
from trainer.checkpoint.occupancy import LOCAL_UID
from trainer.config import Launch, Mounts, termination_log
from trainer.config_maps import config_maps_in, mounts_of, name_of
from trainer.errors import UserError
from trainer.kubectl_yaml import documents_in
from trainer.local_variables import variables_of
from trainingjob_api.contract import CHECKPOINT_PATH, KIND, default_sub_path
from trainingjob_api.progress import RunConfig
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.spec.training import Training

_USED = {
    *("training", "script", "nodes", "processesPerNode", "checkpoint"),
    *("deadlines", "deadlines.startSeconds", "deadlines.stepSeconds", "deadlines.saveSeconds"),
    *("pod", "pod.env", "pod.volumes", "pod.volumeMounts"),
}
"""Fields of spec that mean the same without a cluster."""


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
    folder = places.checkpoints.absolute() / (job.spec.checkpoint.sub_path or default_sub_path(*_full_name(job)))
    if job.spec.checkpoint.start_fresh:  # no object has a UID here: a recipe has a folder of its own
        folder = folder.with_name(f"{folder.name}-{_short(repr(sorted(job.spec.identity.items())))}")
    training = job.spec.training
    if changes is not None:
        training = training and _exported_beside_its_checkpoints(training)
        folder = folder.with_name(f"{folder.name}-{_digest(documents, job, places)}")
    config_maps, attempt = config_maps_in(documents), next_attempt(folder)
    given = {there: os.path.abspath(here) for there, here in places.mounts.items()}
    brought = mounts_of(config_maps, job.spec.pod, places.scratch)
    mounts = Mounts({CHECKPOINT_PATH: str(folder), **brought, **given})
    run = RunConfig(
        namespace=job.metadata.namespace,
        name=job.metadata.name,
        uid=job.metadata.uid or LOCAL_UID,
        attempt=attempt,
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
        termination_log=termination_log(os.environ),
        mounts=mounts,
        environment=variables_of(job, attempt, config_maps, mounts, os.environ),
        notes=tuple(_notes(job.spec)),
    )


def _notes(spec: TrainingJobSpec) -> Iterator[str]:
    """What a manifest asks for in vain."""
    written = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    for section in ("deadlines", "pod"):
        written |= {f"{section}.{field}": value for field, value in written.get(section, {}).items()}
    unused = [f"spec.{field}" for field, value in written.items() if field not in _USED and value is not False]
    if unused:
        yield f"without a cluster these fields do nothing: {', '.join(unused)}"


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


def _full_name(job: TrainingJob) -> tuple[str, str]:
    return job.metadata.namespace, job.metadata.name


def _the_job(
    documents: Sequence[dict[str, Any]], name: str | None, path: Path, changes: Mapping[str, Any]
) -> TrainingJob:
    jobs = [document for document in documents if document.get("kind") == KIND]
    names = [name_of(job) for job in jobs]
    chosen = [job for job, its_name in zip(jobs, names, strict=True) if name in (None, its_name)]
    if len(chosen) != 1:
        found = f"it holds {', '.join(map(str, names))}; choose with --name" if names else "it holds none"
        raise UserError(f"{path}: one {KIND} is needed, {found}")
    if changes and "script" in (chosen[0].get("spec") or {}):
        raise UserError(f"{path}: variants are of spec.training, and this job has a script")
    return admitted(merged(chosen[0], {"spec": {"training": changes}} if changes else {}), path)


def merged(value: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) applied: null removes a field, objects are merged, all else is replaced."""
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, change in changes.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), change) if isinstance(change, Mapping) else change
    return result
