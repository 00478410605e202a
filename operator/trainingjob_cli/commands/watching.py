"""`watch`."""

from typing import TYPE_CHECKING

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Name

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


@connected
async def watch(jobs: "AsyncTrainingJobs", name: Name) -> int:
    """Follow a job to its end: table, progress and curves. Ctrl-C leaves it running."""
    from trainingjob_cli.following import follow

    return await follow(jobs, name)
