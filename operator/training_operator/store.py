"""What the watches have shown, healed by LIST: a cache, so every write must be safe when it is stale.

The ends of pods are kept after the pods are gone, until status has recorded them: they are nowhere else.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from training_operator.children import Job, ObjectMeta, Pod, read_job, read_metadata, read_pod
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import TrainingJobStatus

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name of a TrainingJob."""


class Kind(StrEnum):
    TRAINING_JOB = "trainingjobs"
    JOB = "jobs"
    POD = "pods"


@dataclass(frozen=True)
class Unreadable:
    """A TrainingJob that the models refuse although the API server let it through."""

    metadata: ObjectMeta
    generation: int
    status: TrainingJobStatus | None
    problem: str

    @property
    def key(self) -> Key:
        return self.metadata.namespace, self.metadata.name


Stored = TrainingJob | Unreadable | Job | Pod


@dataclass(frozen=True)
class View:
    """Everything known about one key."""

    training_job: TrainingJob | Unreadable | None
    jobs: tuple[Job, ...]
    pods: tuple[Pod, ...]
    gone_pods: tuple[Pod, ...]
    """As last seen: DELETED carries the final status."""


def read_training_job(raw: dict[str, Any]) -> TrainingJob | Unreadable:
    try:
        return TrainingJob.model_validate(raw)
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5]]
        return Unreadable(
            metadata=read_metadata(raw),
            generation=int(raw["metadata"].get("generation", 0)),
            status=_readable_status(raw.get("status")),
            problem="; ".join(problems),
        )


def _readable_status(raw: Any) -> TrainingJobStatus | None:
    try:
        return TrainingJobStatus.model_validate(raw or {})
    except ValidationError:
        return None


_READERS = {Kind.TRAINING_JOB: read_training_job, Kind.JOB: read_job, Kind.POD: read_pod}


def _key(stored: Stored) -> Key:
    if isinstance(stored, TrainingJob):
        return stored.metadata.namespace, stored.metadata.name
    return stored.key


class Store:
    """Objects by kind, key and UID."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[Key, dict[str, Stored]]] = {kind: defaultdict(dict) for kind in Kind}
        self._gone_pods: dict[Key, dict[str, Pod]] = defaultdict(dict)
        self._tombstones: dict[str, int] = {}  # UID -> version at which it was seen to be gone
        self._unconfirmed: dict[Kind, dict[str, float]] = {kind: {} for kind in Kind}

    # What comes in

    def put(self, kind: Kind, raw: dict[str, Any]) -> Key | None:
        """Take in an object; its key when this is news."""
        uid = raw["metadata"]["uid"]
        self._unconfirmed[kind].pop(uid, None)
        return self._take_in(kind, raw)

    def remove(self, kind: Kind, raw: dict[str, Any]) -> Key | None:
        """Take in the last state of an object that is gone."""
        self._unconfirmed[kind].pop(raw["metadata"]["uid"], None)
        return self._bury(kind, _READERS[kind](raw))

    def merge(
        self, kind: Kind, raws: Iterable[dict[str, Any]], version: str, now: float, namespace: str | None = None
    ) -> set[Key]:
        """Take in a LIST of one kind (of one namespace); the keys for which it brought news.

        What is missing from it is gone, unless it is newer than the list.
        """
        listed: set[str] = set()
        news: set[Key] = set()
        for raw in raws:
            uid = raw["metadata"]["uid"]
            listed.add(uid)
            if key := self._take_in(kind, raw):
                news.add(key)
                self._unconfirmed[kind].setdefault(uid, now)
        for stored in self._missing(kind, listed, int(version), namespace):
            news.add(_key(stored))
            self._bury(kind, stored)
        return news

    def merge_pods(self, key: Key, raws: Iterable[dict[str, Any]], version: str) -> None:
        """Take in a LIST of one key's pods."""
        listed: set[str] = set()
        for raw in raws:
            listed.add(raw["metadata"]["uid"])
            self._take_in(Kind.POD, raw)
        for pod in list(self._objects[Kind.POD].get(key, {}).values()):
            if pod.metadata.uid not in listed and _version(pod) <= int(version):
                self._bury(Kind.POD, pod)

    def _take_in(self, kind: Kind, raw: dict[str, Any]) -> Key | None:
        uid, version = raw["metadata"]["uid"], int(raw["metadata"]["resourceVersion"])
        if uid in self._tombstones:
            return None
        stored = _READERS[kind](raw)
        shelf = self._objects[kind][_key(stored)]
        if uid in shelf and version <= _version(shelf[uid]):
            return None
        shelf[uid] = stored
        return _key(stored)

    def _missing(self, kind: Kind, listed: set[str], version: int, namespace: str | None) -> list[Stored]:
        return [
            stored
            for key, shelf in self._objects[kind].items()
            if namespace is None or key[0] == namespace
            for uid, stored in shelf.items()
            if uid not in listed and _version(stored) <= version
        ]

    def _bury(self, kind: Kind, stored: Stored) -> Key | None:
        uid, key = stored.metadata.uid, _key(stored)
        self._unconfirmed[kind].pop(uid, None)
        known = self._objects[kind].get(key, {}).pop(uid, None)
        if uid in self._tombstones:
            return None
        self._tombstones[uid] = _version(stored)
        if isinstance(stored, Pod):
            self._gone_pods[key][uid] = stored
        if not self._objects[kind].get(key):
            self._objects[kind].pop(key, None)
        return key if known or isinstance(stored, Pod) else None

    # What is asked

    def view(self, key: Key) -> View:
        training_jobs = list(self._objects[Kind.TRAINING_JOB].get(key, {}).values())
        newest = max(training_jobs, key=_version, default=None)
        return View(
            training_job=newest if isinstance(newest, TrainingJob | Unreadable) else None,
            jobs=tuple(j for j in self._objects[Kind.JOB].get(key, {}).values() if isinstance(j, Job)),
            pods=tuple(p for p in self._objects[Kind.POD].get(key, {}).values() if isinstance(p, Pod)),
            gone_pods=tuple(self._gone_pods.get(key, {}).values()),
        )

    def training_jobs(self) -> list[TrainingJob]:
        shelves = self._objects[Kind.TRAINING_JOB].values()
        return [job for shelf in shelves for job in shelf.values() if isinstance(job, TrainingJob)]

    def seconds_behind(self, kind: Kind, now: float) -> float:
        """For how long the watch has failed to show something that a LIST has shown."""
        return now - min(self._unconfirmed[kind].values(), default=now)

    # What is forgotten

    def forget_ends(self, key: Key, attempt: int) -> None:
        """Status has recorded how this attempt ended, so its pods need not be remembered."""
        kept = {uid: pod for uid, pod in self._gone_pods.get(key, {}).items() if pod.attempt > attempt}
        if kept:
            self._gone_pods[key] = kept
        else:
            self._gone_pods.pop(key, None)

    def sweep(self, oldest_version: int) -> None:
        """Forget tombstones that no late answer can contradict any more, and pods of TrainingJobs that are gone."""
        self._tombstones = {uid: v for uid, v in self._tombstones.items() if v > oldest_version}
        for key in [key for key in self._gone_pods if key not in self._objects[Kind.TRAINING_JOB]]:
            del self._gone_pods[key]


def _version(stored: Stored) -> int:
    return int(stored.metadata.resource_version)
