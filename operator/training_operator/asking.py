"""Asks rank 0 of one attempt for its progress, or for its epochs, once.

The pod is not trusted: little is read, no redirect is followed, and its word must be about the attempt asked for.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import aiohttp

from trainingjob_api.contract import HISTORY_LIMIT, METRICS_PORT, PROGRESS_LIMIT
from trainingjob_api.history import HistoryPage
from trainingjob_api.progress import Progress

_Document = TypeVar("_Document", Progress, HistoryPage)


@dataclass(frozen=True)
class Source:
    """Where an attempt's progress is served, and whose it must be."""

    pod_ip: str
    uid: str
    attempt: int

    @property
    def address(self) -> str:
        host = f"[{self.pod_ip}]" if ":" in self.pod_ip else self.pod_ip
        return f"http://{host}:{METRICS_PORT}"


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
        return _read(await self._get(f"{source.address}/progress", PROGRESS_LIMIT, patience), Progress, source)

    async def ask_history(self, source: Source, after: int, patience: float) -> HistoryPage | None:
        """The epochs that follow one; None as above, and from a trainer that does not tell them."""
        url = f"{source.address}/history?after={after}"
        return _read(await self._get(url, HISTORY_LIMIT, patience), HistoryPage, source)

    async def _get(self, url: str, limit: int, patience: float) -> bytes:
        """Empty where nothing came, or more than the limit."""
        timeout = aiohttp.ClientTimeout(total=patience)
        try:
            async with self._session.get(url, allow_redirects=False, timeout=timeout) as response:
                if response.status != 200:
                    return b""
                body = await response.content.read(limit + 1)
                while len(body) <= limit and (more := await response.content.read(limit)):
                    body += more
            return b"" if len(body) > limit else body
        except (aiohttp.ClientError, TimeoutError, OSError):
            return b""


def _read(body: bytes, document: type[_Document], source: Source) -> _Document | None:
    try:
        told = document.model_validate_json(body)
    except ValueError:
        return None
    return told if (told.uid, told.attempt) == (source.uid, source.attempt) else None
