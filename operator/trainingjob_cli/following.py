"""Watching one job: a live picture on a terminal, a line for each change elsewhere."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Group
from rich.live import Live
from rich.text import Text

from trainingjob_cli.exits import ExitCode
from trainingjob_cli.live import changed, frame, line
from trainingjob_cli.screen import PHASES, console
from trainingjob_client import AsyncTrainingJobs, ClientError, Job, JobHistory

_HISTORY_SECONDS = 3.0
"""The history is written once a minute; of what comes between, the last epochs are taken from status."""


@dataclass
class Followed:
    """What is known of a job that is watched."""

    jobs: AsyncTrainingJobs
    name: str
    job: Job | None = None
    history: JobHistory | None = None
    _read: float = field(default=0.0)

    async def look(self) -> JobHistory:
        """The newest history, not asked for more often than it may change."""
        now = asyncio.get_running_loop().time()
        if self.history is None or now - self._read > _HISTORY_SECONDS or (self.job and self.job.is_over):
            self.history, self._read = await self.jobs.history(self.name), now
        return self.history


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
                followed.job = job
                lines = frame(job, await followed.look(), datetime.now(UTC), out.width)
                live.update(Group(*(_text(each) for each in lines)), refresh=True)
    return followed.job if followed.job and followed.job.is_over else None


def _text(text: str) -> Text:
    return PHASES(Text(text, no_wrap=True, overflow="ellipsis"))
