"""`pause` and `resume`."""

from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Names, Timeout

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


@connected
async def pause(
    jobs: "AsyncTrainingJobs",
    names: Names,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is saved and no pod is left.")] = False,
    timeout: Timeout = None,
) -> None:
    """Save at a step that all ranks agree on, and free the pods."""
    for name in names:
        job = await jobs.pause(name)
        if not wait:
            told = "is paused" if job.is_paused else "will save and pause"
            print(f"{name} {told}")
    for name in names if wait else ():
        job = await jobs.wait(name, until="paused", timeout=timeout)
        print(f"{name} is paused. {job.message}".rstrip())


@connected
async def resume(
    jobs: "AsyncTrainingJobs",
    names: Names,
    wait: Annotated[bool, typer.Option("--wait", help="Until it trains.")] = False,
    timeout: Timeout = None,
) -> None:
    """Go on from what is saved."""
    for name in names:
        await jobs.resume(name)
        if not wait:
            print(f"{name} goes on")
    for name in names if wait else ():
        job = await jobs.wait(name, until="running", timeout=timeout)
        came = job.status.resume
        print(f"{name} trains" + (f" on from step {came.from_step} ({came.exactness})" if came else ""))
