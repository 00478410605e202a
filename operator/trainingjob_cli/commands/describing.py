"""`describe` and `checkpoints`."""

from typing import TYPE_CHECKING

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Name

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


@connected
async def describe(jobs: "AsyncTrainingJobs", name: Name) -> None:
    """Everything about a job on one page, and what to do next."""
    import asyncio
    from datetime import UTC, datetime

    from trainingjob_cli import page
    from trainingjob_cli.program import program
    from trainingjob_cli.screen import show

    job = await jobs.get(name)
    pods, events = await asyncio.gather(jobs.pods(name), jobs.events(name, of_pods=True))
    show(page.describe(job, pods, events, datetime.now(UTC), program()))
