"""What the watches have shown, healed by LIST: a cache, so every write must be safe when it is stale.

The ends of pods are kept after the pods are gone, until status has recorded them: they are nowhere else.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from training_operator.children import Job, Pod, read_job, read_pod
from training_operator.records import Key, Raw, Record, UnreadableChild
from trainingjob_api.resource import TrainingJob

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    TRAINING_JOB = "trainingjobs"
    JOB = "jobs"
    POD = "pods"


Stored = Record | Job | Pod | UnreadableChild

OnChange = Callable[[Key, Record | None], None]
"""Is told the newest TrainingJob of a key whenever one of that name has changed; None: there is none any more."""


@dataclass(frozen=True)
class View:
    """Everything known about one key."""

    training_job: TrainingJob | None
    jobs: tuple[Job, ...]
    pods: tuple[Pod, ...]
    gone_pods: tuple[Pod, ...]
    """As last seen: DELETED carries the final status."""
    vanished: frozenset[str] = frozenset()
    """UIDs of those of them that a LIST no longer had: how they ended nobody has seen."""
    unreadable: tuple[str, ...] = ()
    """Jobs and pods that are there and cannot be read: name and problem of each. Nobody knows what they do."""
    is_alone: bool = False
    """There is the TrainingJob and nothing else of its name, nor has been since before the LIST before the last."""


def _read(kind: Kind, raw: Raw) -> Stored:
    if kind is Kind.TRAINING_JOB:
        return Record.of(raw)
    try:
        return read_job(raw) if kind is Kind.JOB else read_pod(raw)
    except Exception as error:  # whatever it is: of one object, which nobody else is to suffer from
        return UnreadableChild.of("Job" if kind is Kind.JOB else "Pod", raw, error)


class Store:
    """Objects by kind and UID, and by key."""

    def __init__(self, on_change: OnChange = lambda key, newest: None) -> None:
        self._on_change = on_change
        self._objects: dict[Kind, dict[str, Stored]] = {kind: {} for kind in Kind}
        self._of_key: dict[Key, dict[str, Stored]] = {}
        self._gone_pods: dict[Key, dict[str, Pod]] = defaultdict(dict)
        self._vanished: set[str] = set()
        self._tombstones: dict[str, int] = {}  # UID -> version at which it was seen to be gone
        self._bereaved: dict[Key, int] = {}  # key -> version at which something of it was last seen to be gone
        self._unconfirmed: dict[Kind, dict[str, float]] = {kind: {} for kind in Kind}

    # What comes in

    def put(self, kind: Kind, raw: Raw) -> set[Key]:
        """Take in an object that a watch has shown, or a write has answered; the keys for which it is news."""
        self._unconfirmed[kind].pop(raw["metadata"]["uid"], None)
        return self._take_in(kind, raw)

    def remove(self, kind: Kind, raw: Raw) -> set[Key]:
        """Take in the last state of an object that is gone."""
        return self._bury(kind, _read(kind, raw))

    def forget_job(self, gone: Job) -> None:
        """We have deleted it: nobody is to do so again until a watch shows it."""
        self._bury(Kind.JOB, gone)

    def put_listed(self, kind: Kind, raws: Iterable[Raw], unseen_since: float | None = None) -> set[Key]:
        """Take in a part of a LIST. What is new in it is expected of the watch from a time on; None: not any more."""
        news: set[Key] = set()
        for raw in raws:
            keys = self._take_in(kind, raw)
            news |= keys
            if unseen_since is None:
                self._unconfirmed[kind].pop(raw["metadata"]["uid"], None)
            elif keys:
                self._unconfirmed[kind].setdefault(raw["metadata"]["uid"], unseen_since)
        return news

    def remove_unlisted(self, kind: Kind, listed: Set[str], version: str, namespace: str | None = None) -> set[Key]:
        """What is missing from a whole LIST (of one namespace) is gone, unless it is newer than the list."""
        known = (one for one in self._objects[kind].values() if namespace in (None, one.key[0]))
        return self._bury_missing(kind, known, listed, int(version))

    def put_pods(self, key: Key, raws: Sequence[Raw], version: str) -> None:
        """Take in a LIST of one key's pods."""
        for raw in raws:
            self._take_in(Kind.POD, raw)
        pods = (one for uid, one in self._of_key.get(key, {}).items() if uid in self._objects[Kind.POD])
        self._bury_missing(Kind.POD, pods, {raw["metadata"]["uid"] for raw in raws}, int(version))

    def _bury_missing(self, kind: Kind, known: Iterable[Stored], listed: Set[str], version: int) -> set[Key]:
        missing = [one for one in known if one.uid not in listed and one.version <= version]
        self._vanished |= {one.uid for one in missing if isinstance(one, Pod) and not one.is_over}
        return {key for one in missing for key in self._bury(kind, one)}

    def _take_in(self, kind: Kind, raw: Raw) -> set[Key]:
        """Versions come first: reading what is known already would cost as much as reading it for the first time."""
        uid, version = raw["metadata"]["uid"], int(raw["metadata"]["resourceVersion"])
        known = self._objects[kind].get(uid)
        if known is not None and version <= known.version:
            return set()
        if uid in self._tombstones:
            return self._learn_late(raw) if kind is Kind.POD else set()
        new = _read(kind, raw)
        if isinstance(new, UnreadableChild) and new.problem != getattr(known, "problem", None):
            logger.error("%s/%s cannot be read and is left out: %s", new.key[0], new.name, new.problem)
        return self._replace(kind, known, new)

    def _replace(self, kind: Kind, known: Stored | None, new: Stored) -> set[Key]:
        moved = known.key if known is not None and known.key != new.key else None
        if moved is not None:  # somebody has changed its label
            self._take_off(new.uid, moved)
        self._objects[kind][new.uid] = self._of_key.setdefault(new.key, {})[new.uid] = new
        if moved is not None:
            return {moved, new.key}
        if known == new:
            return set()
        self._tell(kind, new.key)
        return {new.key}

    def _bury(self, kind: Kind, last: Stored) -> set[Key]:
        uid, key = last.uid, last.key
        self._unconfirmed[kind].pop(uid, None)
        known = self._objects[kind].pop(uid, None)
        if known is not None:
            self._take_off(uid, known.key)
            self._tell(kind, known.key)
        if uid in self._tombstones:
            return self._replace_end(last) if isinstance(last, Pod) else set()
        self._tombstones[uid] = self._bereaved[key] = last.version
        end = next((pod for pod in (last, known) if isinstance(pod, Pod)), None)
        if end is not None:
            self._gone_pods[key][uid] = end
        return {key} if known or end else set()

    def _learn_late(self, raw: Raw) -> set[Key]:
        end = _read(Kind.POD, raw)
        return self._replace_end(end) if isinstance(end, Pod) else set()

    def _replace_end(self, end: Pod) -> set[Key]:
        """A LIST has shown that the pod is gone before the watch has shown how it ended."""
        self._vanished.discard(end.uid)
        known = self._gone_pods.get(end.key, {}).get(end.uid)
        if known is None or end.version <= known.version:
            return set()
        self._gone_pods[end.key][end.uid] = end
        return set() if known == end else {end.key}

    def _take_off(self, uid: str, key: Key) -> None:
        shelf = self._of_key[key]
        del shelf[uid]
        if not shelf:
            del self._of_key[key]

    def _tell(self, kind: Kind, key: Key) -> None:
        if kind is Kind.TRAINING_JOB:
            self._on_change(key, self._newest(key))

    def _newest(self, key: Key) -> Record | None:
        """An older one of that name may still be known."""
        records = (one for one in self._of_key.get(key, {}).values() if isinstance(one, Record))
        return max(records, key=lambda one: one.version, default=None)

    # What is asked

    def view(self, key: Key) -> View:
        stored = self._of_key.get(key, {}).values()
        newest = self._newest(key)
        return View(
            training_job=newest.read() if newest else None,
            jobs=tuple(one for one in stored if isinstance(one, Job)),
            pods=tuple(one for one in stored if isinstance(one, Pod)),
            gone_pods=tuple(self._gone_pods.get(key, {}).values()),
            vanished=frozenset(self._vanished & self._gone_pods.get(key, {}).keys()),
            unreadable=tuple(str(one) for one in stored if isinstance(one, UnreadableChild)),
            is_alone=len(stored) == 1 and newest is not None and key not in self._bereaved,
        )

    def keys(self) -> set[Key]:
        """Of all TrainingJobs."""
        return {one.key for one in self._objects[Kind.TRAINING_JOB].values()}

    def seconds_behind(self, kind: Kind, now: float) -> float:
        """For how long the watch has failed to show something that a LIST has shown."""
        return now - min(self._unconfirmed[kind].values(), default=now)

    # What is forgotten

    def forget_ends(self, key: Key, attempt: float) -> None:
        """Status has recorded how this attempt ended, so its pods need not be remembered."""
        kept = {uid: pod for uid, pod in self._gone_pods.get(key, {}).items() if pod.attempt > attempt}
        if kept:
            self._gone_pods[key] = kept
        else:
            self._gone_pods.pop(key, None)

    def sweep(self, oldest_version: int) -> None:
        """Forget tombstones that no late answer can contradict any more, and ends that nobody will ask for."""
        self._tombstones = {uid: v for uid, v in self._tombstones.items() if v > oldest_version}
        self._bereaved = {key: v for key, v in self._bereaved.items() if v > oldest_version}
        for key in list(self._gone_pods):
            self.forget_ends(key, _last_recorded(self._newest(key)))
        self._vanished &= {uid for pods in self._gone_pods.values() for uid in pods}


def _last_recorded(job: Record | None) -> float:
    """The last attempt whose end is in status, whichever replica wrote it there."""
    if job is None:
        return inf
    status = job.read_status()
    if status is None:
        return -inf
    is_open = status.job is not None and status.job.end is None
    return status.attempt - is_open
