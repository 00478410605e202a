"""`doctor`."""

from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.exits import ExitCode
from trainingjob_cli.options import complete_names

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


@connected
async def doctor(
    jobs: "AsyncTrainingJobs",
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A job.", autocompletion=complete_names, show_default=False),
    ] = None,
) -> int:
    """What the cluster has and lacks, or why a job does not run, with the next step.

    The exit code is 1 if anything is bad.
    """
    from trainingjob_cli.examining import examine_cluster, examine_job
    from trainingjob_cli.screen import show

    found = await examine_job(jobs, name) if name else [each async for each in examine_cluster(jobs)]
    show(str(each) for each in found)
    return ExitCode.FAILED if any(each.level == "bad" for each in found) else ExitCode.DONE
