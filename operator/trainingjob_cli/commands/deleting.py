"""`delete`."""

from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Names

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


@connected
async def delete(
    jobs: "AsyncTrainingJobs",
    names: Names,
    keep_checkpoints: Annotated[
        bool | None,
        typer.Option(
            "--keep-checkpoints/--delete-checkpoints",
            help="Whether the claim that was made for it stays, with checkpoints and model."
            " Default: as its claimTemplate.retain says.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Delete jobs, with their pods; what they have saved stays unless it is said otherwise."""
    from trainingjob_client.keeping import what_stays

    for name in names:
        job = await jobs.get(name)
        await jobs.delete(name, keep_checkpoints=keep_checkpoints)
        print(f"{name} is deleted. {what_stays(job, keep_checkpoints)}")
