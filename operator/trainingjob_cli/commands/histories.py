"""`history`, `plot` and `compare`: what every epoch has reached."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingjob_cli.connected import connected
from trainingjob_cli.options import Name, Names, one_of

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs

_FORMS = ("csv", "json", "wide")
Picture = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.png|svg|pdf",
        help="A picture in a file, instead of one in the terminal.",
        show_default=False,
    ),
]


@connected
async def history(
    jobs: "AsyncTrainingJobs",
    name: Name,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many last epochs.", show_default=False)] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="|".join(_FORMS),
            help="wide: everything that is measured.",
            callback=one_of(*_FORMS),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Every epoch since the first, over pauses and restarts, also when no pod is left."""
    import json
    import sys

    from trainingjob_cli.history_table import epoch_csv, epoch_table, remarks
    from trainingjob_cli.screen import show

    found = await jobs.history(name)
    if output == "json":
        print(json.dumps(found.to_dicts(), indent=2, default=str))
    elif output == "csv":
        print(*epoch_csv(found), sep="\n")
    elif not found.rows:
        print(f"Nothing is known of any epoch of {name} yet.", file=sys.stderr)
    else:
        show(epoch_table(found, wide=output == "wide", last=last))
    print(*remarks(found), sep="\n", end="\n" if remarks(found) else "", file=sys.stderr)


@connected
async def plot(jobs: "AsyncTrainingJobs", names: Names, output: Picture = None) -> None:
    """Losses, quality and learning rate: in the terminal, or as a picture. Several jobs lie over each other."""
    import asyncio

    from trainingjob_cli.plots import draw

    draw(await asyncio.gather(*(jobs.history(name) for name in names)), output)


@connected
async def compare(jobs: "AsyncTrainingJobs", names: Names, output: Picture = None) -> None:
    """Several jobs side by side: a table, and their curves over each other."""
    import asyncio

    from trainingjob_cli.history_table import comparison
    from trainingjob_cli.plots import draw
    from trainingjob_cli.screen import show

    found = await asyncio.gather(*(jobs.get(name) for name in names))
    histories = await asyncio.gather(*(jobs.history(name) for name in names))
    show(comparison(histories, [job.phase for job in found]))
    if output or any(history.rows for history in histories):
        print()
        draw(histories, output)
