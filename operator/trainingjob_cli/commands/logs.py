"""`logs`."""

from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Name

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


@connected
async def logs(
    jobs: "AsyncTrainingJobs",
    name: Name,
    rank: Annotated[int, typer.Option(min=0, help="Whose pod; ranks are counted over all pods.")] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for pods, and go on with the next attempt's, to the end.")
    ] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Only so many last lines.", show_default=False)] = None,
) -> None:
    """What a rank's pod says."""
    await jobs.get(name)  # its absence is told in better words than a log's
    async for line in jobs.logs(name, rank=rank, follow=follow, tail=tail):
        print(line, flush=follow)
