"""`doctor`."""

from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.exits import ExitCode
from trainingjob_cli.options import complete_names

if TYPE_CHECKING:
    from trainingjob_cli.findings import Finding
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
    from trainingjob_cli.findings import ended_by
    from trainingjob_client import ClientError

    if name:
        return _told(await examine_job(jobs, name))
    found: list[Finding] = []
    try:
        async for each in examine_cluster(jobs):
            found.append(each)  # noqa: PERF401  (what was found before an error counts)
    except ClientError as error:
        found.append(ended_by(error, jobs.api.connection.url))
    return _told(found)


def _told(found: "list[Finding]") -> int:
    from trainingjob_cli.screen import show

    show(str(each) for each in found)
    return ExitCode.FAILED if any(each.level == "bad" for each in found) else ExitCode.DONE
