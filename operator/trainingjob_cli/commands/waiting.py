"""`wait`: for scripts."""

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Name, Timeout, one_of

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs

_UNTIL = ("complete", "paused", "failed", "running", "ended")


@connected
async def wait(
    jobs: "AsyncTrainingJobs",
    name: Name,
    until: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="|".join(_UNTIL),
            help="What to wait for; ended: either complete or failed.",
            callback=one_of(*_UNTIL),
            autocompletion=lambda: list(_UNTIL),
        ),
    ] = "complete",
    timeout: Timeout = None,
) -> None:
    """Wait until a job is complete, or something else."""
    job = await jobs.wait(name, until=cast("Any", until), timeout=timeout)
    print(f"{name} is {until} ({job.phase}). {job.message}".rstrip())
