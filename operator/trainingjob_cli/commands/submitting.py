"""`submit`: a manifest, or a program."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs


def _mount(text: str) -> tuple[str, str]:
    claim, separator, path = text.partition("=")
    if not claim or not separator or not path.startswith("/"):
        raise typer.BadParameter(f"{text!r} is not of the form CLAIM=/path")
    return claim, path


@connected
async def submit(
    jobs: "AsyncTrainingJobs",
    program: Annotated[
        Path | None,
        typer.Argument(metavar="[PROGRAM.py|FOLDER]", help="A program, instead of a manifest.", show_default=False),
    ] = None,
    args: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS...]", help="Of the program.", show_default=False)
    ] = None,
    filename: Annotated[
        str | None,
        typer.Option("--filename", "-f", metavar="FILE", help="A manifest; - is standard input.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Default: that of the program.", show_default=False)] = None,
    nodes: Annotated[int, typer.Option(min=1, help="Pods.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, help="Of each pod; as many ranks.")] = 0,
    image: Annotated[str | None, typer.Option(help="Default: the operator's.", show_default=False)] = None,
    claim: Annotated[
        str | None, typer.Option(help="For checkpoints. Default: one of the job's own.", show_default=False)
    ] = None,
    storage: Annotated[str, typer.Option(help="Size of a claim of its own.")] = "1Gi",
    mount: Annotated[
        list[str] | None,
        typer.Option(metavar="CLAIM=/PATH", help="Data that the program reads; may be repeated.", show_default=False),
    ] = None,
    requirements: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Installed by pip before it starts.", show_default=False)
    ] = None,
    follow: Annotated[
        bool | None,
        typer.Option(
            "--follow/--no-follow",
            help="To the end: a program by its log, a recipe by its curves. Default: programs yes, manifests no.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only ask whether it would be accepted.")] = False,
) -> int | None:
    """Start a training from a manifest (-f), or from a program and its arguments."""
    from trainingjob_cli.following import follow as follow_job
    from trainingjob_cli.packing import Wanted, pack
    from trainingjob_cli.submitting import follow_log, submit_file, submit_program

    if (program is None) == (filename is None):
        raise typer.BadParameter("give either a program or -f FILE")
    if filename is not None:
        job = await submit_file(jobs, filename, dry_run=dry_run)
    else:
        assert program is not None
        packed = pack(program)
        packed = packed.with_requirements(requirements) if requirements else packed
        mounts = [_mount(each) for each in mount or ()]
        wanted = Wanted(args or (), nodes, gpus, image, claim, storage, mounts)
        job = await submit_program(jobs, packed, name or packed.name, wanted, dry_run=dry_run)
    is_followed = program is not None if follow is None else follow
    if dry_run or not is_followed:
        return None
    return await (follow_log if job.spec.script else follow_job)(jobs, job.name)
