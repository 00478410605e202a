"""What a task is called: in the API, in labels, and as an object of Kubernetes. Pure, but for the clock of TaskIds."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from trainingjob_api.contract import GROUP, TASK_LABEL
from trainingjob_client.job import Job

IDEMPOTENCY_LABEL = f"{GROUP}/idempotency-key"
"""Digest of user and key."""
REQUEST_ANNOTATION = f"{GROUP}/request-digest"
PREFIX = "epoch_training_"
_TASK_ID = re.compile(r"^epoch_training_\d{8}_\d{6}$")
_KEY = re.compile(r"^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\.([a-z](?:[-a-z0-9]{0,46}[a-z0-9])?)$")


def task_id_of(job: Job) -> str:
    """Its label, or for a job that was made otherwise namespace.name."""
    label = job.labels.get(TASK_LABEL, "")
    return label if _TASK_ID.match(label) else f"{job.namespace}.{job.name}"


def is_task_id(text: str) -> bool:
    return bool(_TASK_ID.match(text))


def key_of(task_id: str) -> tuple[str, str] | None:
    """Namespace and name, of an id that consists of them."""
    found = _KEY.match(task_id)
    return (found[1], found[2]) if found else None


def object_name(task_id: str) -> str:
    """epoch_training_20240101_120000 -> epoch-training-20240101-120000."""
    return task_id.replace("_", "-")


def keyed_name(digest: str) -> str:
    """The name of a job that was started under a key: a second start under the same key finds it taken."""
    return f"epoch-training-{digest}"


def key_digest(user: str, key: str) -> str:
    return sha256(f"{len(user)}:{user}{key}".encode()).hexdigest()[:24]


@dataclass
class TaskIds:
    """Gives ids by the second; one that is taken is followed by that of the next second."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _last: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def next(self) -> str:
        """One that this process has not given."""
        self._last = max(self.now().replace(microsecond=0), self._last + timedelta(seconds=1))
        return f"{PREFIX}{self._last:%Y%m%d_%H%M%S}"
