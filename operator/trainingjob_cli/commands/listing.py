"""`list` and `get`: the table."""

from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import AllNamespaces, Names, Output

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


@connected
async def list_jobs(
    jobs: "AsyncTrainingJobs",
    all_namespaces: AllNamespaces = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="By labels, as in kubectl.", show_default=False)
    ] = "",
    state: Annotated[
        str, typer.Option("--phase", help="Only jobs in this phase, such as Running.", show_default=False)
    ] = "",
    output: Output = None,
) -> None:
    """The jobs of a namespace, or of all."""
    import sys
    from datetime import UTC, datetime

    from trainingjob_cli.rendering import jobs_as
    from trainingjob_cli.screen import show

    page = await jobs.list(all_namespaces=all_namespaces, label_selector=selector)
    found = [job for job in page.items if not state or job.phase.lower() == state.lower()]
    if not found and output in (None, "wide"):
        where = "" if all_namespaces else f" in namespace {jobs.namespace}"
        print(f"No trainingjobs found{where}.", file=sys.stderr)
        return
    show(jobs_as(output, found, datetime.now(UTC), single=False, namespaces=all_namespaces))


@connected
async def get(jobs: "AsyncTrainingJobs", names: Names, output: Output = None) -> None:
    """One job or several, as a table or as they are."""
    import asyncio
    from datetime import UTC, datetime

    from trainingjob_cli.rendering import jobs_as
    from trainingjob_cli.screen import show

    found = await asyncio.gather(*(jobs.get(name) for name in names))
    show(jobs_as(output, found, datetime.now(UTC), single=len(found) == 1, namespaces=False))
