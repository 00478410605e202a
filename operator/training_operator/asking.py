"""Asks rank 0 of one attempt for its progress, once.

The pod is not trusted: little is read, no redirect is followed, and its word must be about the attempt asked for.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from trainingjob_api.contract import METRICS_PORT, PROGRESS_LIMIT
from trainingjob_api.progress import Progress


@dataclass(frozen=True)
class Source:
    """Where an attempt's progress is served, and whose it must be."""

    pod_ip: str
    uid: str
    attempt: int

    @property
    def url(self) -> str:
        host = f"[{self.pod_ip}]" if ":" in self.pod_ip else self.pod_ip
        return f"http://{host}:{METRICS_PORT}/progress"


class Asker:
    """A client for the pods' servers."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(trust_env=False, auto_decompress=False)
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, source: Source, patience: float) -> Progress | None:
        """What rank 0 says; None when nothing that counts came within so many seconds."""
        timeout = aiohttp.ClientTimeout(total=patience)
        try:
            async with self._session.get(source.url, allow_redirects=False, timeout=timeout) as response:
                if response.status != 200:
                    return None
                body = await response.content.read(PROGRESS_LIMIT + 1)
                while len(body) <= PROGRESS_LIMIT and (more := await response.content.read(PROGRESS_LIMIT)):
                    body += more
            return None if len(body) > PROGRESS_LIMIT else _read(body, source)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _read(body: bytes, source: Source) -> Progress | None:
    try:
        report = Progress.model_validate_json(body)
    except ValueError:
        return None
    return report if (report.uid, report.attempt) == (source.uid, source.attempt) else None
