"""A manifest that somebody has pasted: one TrainingJob, and the ConfigMaps that it needs. Blocking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from training_gateway.gate import User
from training_gateway.identity import IDEMPOTENCY_LABEL, REQUEST_ANNOTATION
from training_gateway.refusal import FieldError, invalid
from trainingjob_api.contract import REQUESTED_BY_ANNOTATION, TASK_LABEL
from trainingjob_client import manifest as manifests
from trainingjob_client.errors import ManifestError

Raw = dict[str, Any]
_OF_THE_GATEWAY = (TASK_LABEL, IDEMPOTENCY_LABEL, REQUEST_ANNOTATION, REQUESTED_BY_ANNOTATION)
_DEEPEST = 64
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of a megabyte the other one makes ten seconds of work


@dataclass(frozen=True)
class Submission:
    """What is to be created."""

    job: Raw
    config_maps: tuple[Raw, ...]

    @property
    def namespace(self) -> str | None:
        return self.job["metadata"].get("namespace") or None

    def by(self, user: User) -> Raw:
        """The TrainingJob in the name of a user: what a cluster writes into an object is left out."""
        metadata = self.job["metadata"]
        annotations = {**_theirs(metadata.get("annotations")), REQUESTED_BY_ANNOTATION: user.name}
        return {
            **{key: value for key, value in self.job.items() if key not in ("metadata", "status")},
            "metadata": {
                "name": metadata["name"],
                "labels": _theirs(metadata.get("labels")),
                "annotations": annotations,
            },
        }


def _theirs(pairs: Any) -> Raw:
    return {key: value for key, value in pairs.items() if key not in _OF_THE_GATEWAY} if isinstance(pairs, dict) else {}


def read(body: bytes) -> Submission:
    """Refusal (422) says what is wrong."""
    try:
        text = body.decode()
        _check(text)
        documents = [document for document in yaml.load_all(text, _Loader) if document]
        read = manifests.sort(documents, "the body")
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(f"is neither YAML nor JSON: {_where(error)}") from None
    except ManifestError as error:
        raise _wrong(str(error)) from None
    for other in read.others:
        if (other["apiVersion"], other["kind"]) != ("v1", "ConfigMap"):
            raise _wrong(
                f"beside the TrainingJob only ConfigMaps are taken, not a {other['kind']}: apply it with kubectl"
            )
    return Submission(dict(read.job), tuple(map(_config_map, read.others)))


def _check(text: str) -> None:
    """Nothing that a few bytes can make large or slow."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _wrong("write out what anchors and aliases stand for")
        if isinstance(event, yaml.CollectionStartEvent | yaml.CollectionEndEvent):
            depth += 1 if isinstance(event, yaml.CollectionStartEvent) else -1
        if depth > _DEEPEST:
            raise _wrong(f"has more than {_DEEPEST} brackets or indents within each other")


def _config_map(raw: Mapping[str, Any]) -> Raw:
    kept = {
        key: value for key, value in raw.items() if key in ("apiVersion", "kind", "data", "binaryData", "immutable")
    }
    return {**kept, "metadata": {"name": raw["metadata"]["name"], "labels": _theirs(raw["metadata"].get("labels"))}}


def _wrong(message: str) -> Exception:
    return invalid(FieldError("body", message))


def _where(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark else str(problem or error)
