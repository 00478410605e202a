"""`pause` and `resume`."""

from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Names, Timeout

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs, Job


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
        job = await _going_on(jobs, name, timeout)
        came = job.status.resume
        told = "has trained" if job.is_over else "trains"
        print(f"{name} {told}" + (f" on from step {came.from_step} ({came.exactness})" if came else ""))


async def _going_on(jobs: "AsyncTrainingJobs", name: str, timeout: float | None) -> "Job":
    """The job once it trains; one that was complete before anybody looked has trained as well."""
    from trainingjob_client import EndedError

    try:
        return await jobs.wait(name, until="running", timeout=timeout)
    except EndedError:
        job = await jobs.get(name)
        if not job.has_succeeded:
            raise
        return job
