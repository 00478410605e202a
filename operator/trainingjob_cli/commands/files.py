"""`checkpoints`, `download` and `upload`: what lies in claims."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Name, one_of

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs

_WHAT = ("model", "report", "all")
Image = Annotated[
    str | None,
    typer.Option(help="Of the pod that reaches the claim. Default: the job's, else the trainer's.", show_default=False),
]


@connected
async def checkpoints(jobs: "AsyncTrainingJobs", name: Name, image: Image = None) -> None:
    """The checkpoints that lie in a job's claim."""
    import sys
    from datetime import UTC, datetime

    from trainingjob_cli.file_pod import DEFAULT_IMAGE
    from trainingjob_cli.job_files import checkpoint_table
    from trainingjob_cli.job_files import checkpoints as found_of
    from trainingjob_cli.screen import show

    job = await jobs.get(name)
    found = await found_of(jobs, job, image or job.spec.pod.image or DEFAULT_IMAGE)
    if not found:
        print(f"{name} has saved nothing yet.", file=sys.stderr)
        return
    show(checkpoint_table(found, datetime.now(UTC)))


@connected
async def download(
    jobs: "AsyncTrainingJobs",
    name: Name,
    what: Annotated[
        str,
        typer.Option(
            metavar="|".join(_WHAT),
            help="The model, or what a program has written; report, curves and history; or the job's whole folder.",
            callback=one_of(*_WHAT),
            autocompletion=lambda: list(_WHAT),
        ),
    ] = "model",
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Default: ./NAME.", show_default=False)] = None,
    image: Image = None,
) -> None:
    """Take the model, the report or everything out of a job's claim; of a program what it has written."""
    from trainingjob_cli.file_pod import DEFAULT_IMAGE
    from trainingjob_cli.job_files import download as taken
    from trainingjob_cli.words import size

    job = await jobs.get(name)
    folder = to or Path(name)
    for entry in await taken(jobs, job, what, folder, image or job.spec.pod.image or DEFAULT_IMAGE):
        print(f"{folder / entry.name}  {size(entry.size)}")


@connected
async def upload(
    jobs: "AsyncTrainingJobs",
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files or folders.", show_default=False)],
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="That there is already.", show_default=False)],
    to: Annotated[str, typer.Option(metavar="FOLDER", help="In the claim.", show_default=False)] = "",
    image: Image = None,
) -> None:
    """Put files into a claim, such as data to train on."""
    from trainingjob_cli.claims import opened
    from trainingjob_cli.file_pod import DEFAULT_IMAGE
    from trainingjob_client import ClientError

    for file in files:
        if not file.exists():
            raise ClientError(f"there is no {file}")
    folder = to.strip("/")
    if ".." in folder.split("/"):
        raise ClientError("--to must not contain '..'")
    async with opened(jobs.api, jobs.namespace, claim, image or DEFAULT_IMAGE, write=True) as inside:
        await inside.put(files, folder)
    for file in files:
        print(f"{file} is in claim {claim} as {'/'.join(part for part in (folder, file.name) if part)}")
