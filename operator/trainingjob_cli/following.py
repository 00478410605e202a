"""Watching one job: a live picture on a terminal, a line for each change elsewhere."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rich.console import Group
from rich.live import Live
from rich.text import Text

from trainingjob_api.history import Row, row_of
from trainingjob_cli.exits import ExitCode
from trainingjob_cli.live import changed, frame, line
from trainingjob_cli.screen import PHASES, console
from trainingjob_client import AsyncTrainingJobs, ClientError, Job, JobHistory

_HISTORY_SECONDS = 15.0
"""It is written once a minute; the epochs since then are those that were seen here."""


@dataclass
class Followed:
    """What is known of a job that is watched."""

    jobs: AsyncTrainingJobs
    name: str
    job: Job | None = None
    _kept: JobHistory | None = None
    _read: float = 0.0
    _seen: dict[int, Row] = field(default_factory=dict)

    async def look(self, job: Job) -> JobHistory:
        """Its epochs, not asked for more often than they may change."""
        self.job = job
        now = asyncio.get_running_loop().time()
        if self._kept is None or now - self._read > _HISTORY_SECONDS or job.is_over:
            self._kept, self._read = await self.jobs.history(self.name), now
        if job.status.metrics and (latest := job.status.metrics.latest):
            self._seen[latest.epoch] = row_of(latest, job.status.attempt, None, None)
        return with_later(self._kept, self._seen)


def with_later(history: JobHistory, seen: Mapping[int, Row]) -> JobHistory:
    """Also the epochs that were seen and are not kept yet."""
    last = history.rows[-1].epoch if history.rows else 0
    later = [seen[epoch] for epoch in sorted(seen) if epoch > last]
    return replace(history, kept=replace(history.kept, rows=(*history.rows, *later)))


async def follow(jobs: AsyncTrainingJobs, name: str) -> int:
    """Until the job is over; 3 if it has failed."""
    out = console()
    job = await (_live(jobs, name) if out.is_terminal else _lines(jobs, name))
    if job is None:
        raise ClientError(f"{name} was deleted")
    return ExitCode.DONE if job.has_succeeded else ExitCode.JOB_FAILED


async def _lines(jobs: AsyncTrainingJobs, name: str) -> Job | None:
    before: Job | None = None
    async with aclosing(jobs.watch(name)) as seen:
        async for job in seen:
            if changed(before, job):
                print(line(job), flush=True)
            before = job
    return before if before and before.is_over else None


async def _live(jobs: AsyncTrainingJobs, name: str) -> Job | None:
    out, followed = console(), Followed(jobs, name)
    with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
        async with aclosing(jobs.watch(name)) as seen:
            async for job in seen:
                lines = frame(job, await followed.look(job), datetime.now(UTC), out.width)
                live.update(Group(*(_text(each) for each in lines)), refresh=True)
    return followed.job if followed.job and followed.job.is_over else None


def _text(text: str) -> Text:
    return PHASES(Text(text, no_wrap=True, overflow="ellipsis"))
