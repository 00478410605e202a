"""What is submitted: a file, a text or an object with one TrainingJob, and what it needs beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trainingjob_api.contract import API_VERSION, KIND
from trainingjob_api.resource import TrainingJob
from trainingjob_client.errors import ManifestError

Raw = dict[str, Any]
Given = Path | str | Mapping[str, Any] | TrainingJob


@dataclass(frozen=True)
class Manifest:
    job: Raw
    others: Sequence[Raw]
    """Such as ConfigMaps, in the order of the file."""

    def in_namespace(self, given: str | None, default: str) -> str:
        """Where the job is made; ManifestError if file and caller name different ones."""
        own = str(self.job["metadata"].get("namespace") or "")
        if own and given and own != given:
            raise ManifestError(f"the manifest is for namespace {own}, not for {given}")
        return given or own or default


def read(given: Given) -> Manifest:
    """ManifestError when it is no YAML, or holds another number of TrainingJobs than one."""
    if isinstance(given, TrainingJob):
        return Manifest(_dumped(given), ())
    if isinstance(given, Mapping):
        return sort([dict(given)], "the object")
    text, source = _text(given)
    try:
        return sort([document for document in yaml.safe_load_all(text) if document], source)
    except yaml.YAMLError as error:
        raise ManifestError(f"{source} is no YAML: {_where(error)}") from error


def _text(given: Path | str) -> tuple[str, str]:
    """A text of several lines is a manifest, and one line is the name of a file."""
    if isinstance(given, str) and ("\n" in given or given.lstrip().startswith("{")):
        return given, "the text"
    try:
        return Path(given).read_text(), str(given)
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{given} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def sort(documents: Sequence[Any], source: str) -> Manifest:
    for document in documents:
        if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
            raise ManifestError(
                f"{source} holds something that is no Kubernetes object: apiVersion and kind are missing"
            )
        if not isinstance(document.get("metadata"), dict) or not document["metadata"].get("name"):
            raise ManifestError(f"{source}: metadata.name of the {document['kind']} is missing")
    jobs = [document for document in documents if document["kind"] == KIND]
    if len(jobs) != 1:
        raise ManifestError(f"{source} holds {len(jobs) or 'no'} TrainingJobs; give one at a time")
    if jobs[0]["apiVersion"] != API_VERSION:
        raise ManifestError(f"{source}: apiVersion must be {API_VERSION}, not {jobs[0]['apiVersion']}")
    return Manifest(jobs[0], [document for document in documents if document["kind"] != KIND])


def _dumped(job: TrainingJob) -> Raw:
    """What a person would have written: no status, and of the metadata what is theirs."""
    metadata = {"name": job.metadata.name, "namespace": job.metadata.namespace, "labels": job.metadata.labels}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {name: value for name, value in metadata.items() if value},
        "spec": job.spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
    }


def _where(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def own_volume(size: str, nodes: int) -> Raw:
    """checkpoint.volume of a job that gets a claim of its own; several pods need one that they share."""
    return {"claimTemplate": {"size": size, "accessModes": ["ReadWriteMany" if nodes > 1 else "ReadWriteOnce"]}}
