"""How kopf is tuned: it watches TrainingJobs, keeps nothing about them, and writes nothing on any object."""

import logging
from collections.abc import Iterator
from typing import Any, cast

import kopf

from training_operator.cluster import PAGE


def tuned() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.persistence.progress_storage = _NoProgress()
    settings.persistence.diffbase_storage = _NoDiff()
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = cast(Any, _Backoffs())
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 30
    settings.watching.chunk_size = PAGE
    settings.queueing.idle_timeout = 1  # each object has a task of its own for so long
    settings.posting.enabled = False
    settings.scanning.disabled = True
    # Else it ends the process, by SIGKILL, so many seconds after its own end.
    settings.process.ultimate_exiting_timeout = None
    # Every event handled is a line at INFO.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    return settings


class _Backoffs:
    """Seconds between tries, without end: an API server that is away is no reason to give up."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.5, 1, 2)
        while True:
            yield 4.0


class _NoProgress(kopf.ProgressStorage):
    """Handlers that look at events have no progress to remember."""

    def fetch(self, *, key: Any, body: Any) -> None:
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        pass

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        pass

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        pass

    def clear(self, *, essence: Any) -> Any:
        return essence


class _NoDiff(kopf.DiffBaseStorage):
    """Nobody asks what differs from the last time, for which kopf would copy every object."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> None:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        pass
