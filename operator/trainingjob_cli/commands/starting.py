"""`init`."""

from pathlib import Path
from typing import Annotated

import typer

from trainingjob_cli.options import one_of

_TASKS = ("classification", "regression")


def init(
    data: Annotated[Path, typer.Argument(metavar="FILE.csv", help="With names at its top.", show_default=False)],
    target: Annotated[str | None, typer.Option(help="The column to foresee.", show_default=False)] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="|".join(_TASKS), callback=one_of(*_TASKS), help="By the target.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Default: that of the file.", show_default=False)] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 100,
    nodes: Annotated[int, typer.Option(min=1, help="Pods.")] = 1,
    claim: Annotated[
        str | None, typer.Option(help="In which the file lies. Default: it goes into the manifest.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: NAME.yaml.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Look at a csv and write a manifest that trains on it; on a terminal it asks what is not given."""
    import sys

    from trainingjob_cli.connected import complain
    from trainingjob_cli.packing import slug
    from trainingjob_cli.program import program
    from trainingjob_cli.starting import Choices, dumped, find, manifest
    from trainingjob_client.errors import ClientError, ManifestError

    asks = sys.stdin.isatty() and not yes
    try:
        found = find(data)
        table = found.table
        wanted = target or _asked(asks, f"Column to foresee ({', '.join(table.columns[-8:])})", found.usual_target)
        if wanted not in table.columns:
            raise ManifestError(f"{data} has no column {wanted}; its columns are {', '.join(table.columns)}")
        kind = task or _asked(asks, "classification or regression", table.task_of(wanted))
        called = name or _asked(asks, "Name of the job", slug(data.stem))
        file = output or Path(f"{called}.yaml")
        if file.exists() and not yes and output is None:
            raise ManifestError(f"{file} is there already: --output names another, --yes overwrites it")
        file.write_text(dumped(manifest(found, Choices(called, wanted, kind, epochs, nodes, claim))))
    except (ClientError, OSError) as error:
        raise typer.Exit(complain(error)) from error
    print(f"{file}: {kind} of {wanted} by {len(table.columns) - 1} columns")
    print(f"Train it: {program()} submit -f {file} --follow")
    print(f"Without a cluster: {program()} run -f {file}")


def _asked(asks: bool, question: str, usual: str) -> str:
    return str(typer.prompt(question, default=usual)) if asks else usual
