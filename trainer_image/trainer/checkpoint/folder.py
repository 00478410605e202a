"""Whose folder it is: job and recipe, the newest attempt, and whether training is done."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from trainer.checkpoint.files import make_folder, read_plain, replace
from trainer.checkpoint.occupancy import Occupant, occupied
from trainer.checkpoint.store import Store
from trainer.errors import CheckpointMismatch, FolderInUse, Superseded, VolumeNotWritable
from trainingjob_api.base import Report
from trainingjob_api.contract import OUTPUT_FOLDER
from trainingjob_api.progress import Outcome, Progress, RunConfig
from trainingjob_api.spec.identity import identity_of
from trainingjob_api.spec.script import Script
from trainingjob_api.spec.training import Budget

_SIZE_LIMIT = 1024 * 1024
_JOB, _ATTEMPT, _DONE = "job.json", "attempt.json", "done.json"
_CHECKSUM = "sha256"

R = TypeVar("R", bound=Report)


class JobRecord(Report):
    """Whose checkpoints these are."""

    format: Literal[1] = 1
    uid: str
    name: str = Field(default="", description="Of the TrainingJob, with its namespace.")
    identity: dict[str, str]
    first_generation: int = Field(default=0, ge=0, description="Added to this job's attempts; see checkpoint names.")


class AttemptRecord(Report):
    """The newest attempt that has begun; an older one must not commit any more."""

    uid: str
    generation: int = Field(ge=0)


class DoneRecord(Report):
    """Written once training has ended and everything is on disk."""

    uid: str
    outcome: Outcome
    epochs: int | None = Field(default=None, description="What was asked for; None: a budget.")
    budget: Budget | None = None
    script: Script | None = None
    message: str = ""
    progress: Progress


class Folder:
    """One job's folder in its volume."""

    def __init__(self, run: RunConfig) -> None:
        self.path = Path(run.checkpoint_path)
        self._run = run
        self._name = f"{run.namespace}/{run.name}"
        self._occupant = Occupant(uid=run.uid, name=self._name, attempt=run.attempt)
        self._identity = run.identity or identity_of(run.training, run.script)

    def done(self) -> DoneRecord | None:
        """The end of this training, if it has ended; a damaged record counts as none, and the end is done again."""
        record = _read(self.path / _DONE, DoneRecord)
        job = _read(self.path / _JOB, JobRecord)
        if record is None or job is None or job.identity != self._identity:
            return None
        wants_more = _wants_more(self._run, record) and record.outcome is not Outcome.EARLY_STOPPED
        return None if wants_more else record

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """FolderInUse while another job is at work in the folder; inside, this one is."""
        with ExitStack() as stack:
            with _writing_to(self.path):
                self._make()
                stack.enter_context(occupied(self.path, self._occupant))
            yield

    def claim(self) -> None:
        """Makes the folder this attempt's; from now on older attempts refuse to commit."""
        with _writing_to(self.path):
            self._make()
            job = _read(self.path / _JOB, JobRecord)
            attempt = _read(self.path / _ATTEMPT, AttemptRecord)
            if job is not None and self._has_something_to_lose():
                self.require_identity(job.identity)
            taken = attempt.generation if attempt else max((name.generation for name in self._names()), default=0)
            first = job.first_generation if job is not None and job.uid == self._run.uid else taken
            job = JobRecord(uid=self._run.uid, name=self._name, identity=self._identity, first_generation=first)
            self._write(_JOB, job)
            generation = job.first_generation + self._run.attempt
            if attempt is not None and attempt.generation > generation:
                raise Superseded(f"{self.path} belongs to a newer attempt")
            self._write(_ATTEMPT, AttemptRecord(uid=self._run.uid, generation=generation))

    @cached_property
    def generation(self) -> int:
        """This attempt's number in the names of checkpoints, once the folder was claimed for it."""
        job = _read(self.path / _JOB, JobRecord)
        return self._run.attempt + (job.first_generation if job and job.uid == self._run.uid else 0)

    def check_fence(self) -> None:
        """Superseded if a newer attempt has claimed the folder, FolderInUse if another job has."""
        own = self.generation
        attempt = _read(self.path / _ATTEMPT, AttemptRecord)  # last: what comes after this look is not seen
        if attempt is None or attempt.generation <= own:
            return
        job = _read(self.path / _JOB, JobRecord)
        if job is not None and job.uid != self._run.uid:
            raise FolderInUse(
                f"{self.path} was taken over by TrainingJob {job.name or job.uid}; give each its own folder"
            )
        raise Superseded(f"{self.path} belongs to a newer attempt; this one does not write to it any more")

    def require_identity(self, other: Mapping[str, str]) -> None:
        """CheckpointMismatch if checkpoints of that identity cannot be continued by this recipe."""
        if field := first_difference(other, self._identity):
            field = field if field.startswith("script.") else f"training.{field}"
            raise CheckpointMismatch(
                f"{self.path} holds checkpoints of another recipe: {field} differs. "
                "Give this job a folder of its own (checkpoint.subPath or checkpoint.startFresh: true), "
                f"or make {field} what it was."
            )

    @property
    def identity(self) -> dict[str, str]:
        """What a checkpoint in here belongs to."""
        return self._identity

    def output(self) -> Path:
        """Where a program of the user's own starts: what it writes beside itself stays with its checkpoints."""
        path = self.path / OUTPUT_FOLDER
        with _writing_to(path):
            if path.is_symlink():
                raise VolumeNotWritable(f"{path} is a link; programs only start where they belong")
            make_folder(path)
        return path

    def write_done(self, outcome: Outcome, message: str, progress: Progress) -> None:
        recipe = self._run.training
        record = DoneRecord(
            uid=self._run.uid,
            outcome=outcome,
            epochs=recipe.total_epochs if recipe else None,
            budget=recipe.budget if recipe else None,
            script=self._run.script,
            message=message,
            progress=progress,
        )
        self._write(_DONE, record)

    def store(self) -> Store:
        return Store(self.path, self._run.keep_last, self.check_fence)

    def _make(self) -> None:
        if self.path.is_symlink():
            raise VolumeNotWritable(f"{self.path} is a link; checkpoints are only written where they belong")
        make_folder(self.path)

    def _has_something_to_lose(self) -> bool:
        """A recipe that has saved nothing, such as one with a wrong path, must not stand in its correction's way."""
        return bool(self._names()) or (self.path / _DONE).exists()

    def _names(self) -> list[Any]:
        return list(Store(self.path, 2).names())

    def _write(self, name: str, record: Report) -> None:
        if _read(self.path / name, type(record)) != record:
            replace(self.path / name, _encode(record))


def _wants_more(run: RunConfig, record: DoneRecord) -> bool:
    recipe = run.training
    if recipe is None:
        return run.script is None or record.script is None or run.script.args != record.script.args
    if recipe.total_epochs is None or record.epochs is None:
        return recipe.budget != record.budget
    return recipe.total_epochs > record.epochs


def next_attempt(path: Path) -> int:
    """For a machine without an operator that counts: one more than the newest attempt that began here."""
    attempt, job = _read(path / _ATTEMPT, AttemptRecord), _read(path / _JOB, JobRecord)
    return 1 + max(0, (attempt.generation if attempt else 0) - (job.first_generation if job else 0))


def first_difference(one: Any, other: Any) -> str | None:
    """Path of the first field in which two JSON values differ, such as `model.hiddenUnits`; None if they are equal."""
    return next(differences(one, other), None)


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Paths of all fields in which two JSON values differ."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        if one != other:
            yield path or "(the whole)"
        return
    for key in sorted({*one, *other}):
        below = f"{path}.{key}" if path else str(key)
        if key in one and key in other:
            yield from differences(one[key], other[key], below)
        else:
            yield below


def _encode(record: Report) -> bytes:
    """JSON with a checksum of its own: a flipped bit must not make another attempt, recipe or end of it."""
    body = record.to_json_object()
    return json.dumps({**body, _CHECKSUM: _digest(body)}, indent=1).encode() + b"\n"


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _read(path: Path, kind: type[R]) -> R | None:
    """A record, or None if it is missing or damaged."""
    try:
        return _decode(read_plain(path, _SIZE_LIMIT), kind)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=8)  # the fence is looked at before every commit, and is nearly always what it was
def _decode(content: bytes, kind: type[R]) -> R | None:
    try:
        body = json.loads(content)
        if not isinstance(body, dict) or body.pop(_CHECKSUM, None) != _digest(body):
            return None
        return kind.model_validate(body)
    except (ValueError, RecursionError):  # a validation's error is a ValueError
        return None


@contextmanager
def _writing_to(path: Path) -> Iterator[None]:
    """Turns the refusals of a volume into words that say what to do."""
    try:
        yield
    except OSError as error:
        raise VolumeNotWritable(_refusal(path, error)) from error


def _refusal(path: Path, error: OSError) -> str:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    facts = existing.stat()
    return (
        f"cannot write to {path} as user {os.geteuid()}, group {os.getegid()}: {error.strerror or error} "
        f"({existing} belongs to user {facts.st_uid}, group {facts.st_gid}, mode {facts.st_mode & 0o7777:o}). "
        "Set pod.securityContext.fsGroup to a group that may write there, or runAsUser to its owner."
    )
