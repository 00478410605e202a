"""`run` and `examples`: what needs no cluster."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    filename: Annotated[Path, typer.Option("--filename", "-f", metavar="FILE", help="A manifest.", show_default=False)],
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- ARGS...]", help="Of `trainer`, such as --mount /data=here.", show_default=False),
    ] = None,
) -> None:
    """Train a manifest on this machine, without a cluster; stopped with Ctrl-C, the same command goes on.

    The exit code is the trainer's.
    """
    import importlib.util
    import os
    import sys

    from trainingjob_cli.connected import complain
    from trainingjob_client.errors import ClientError

    if importlib.util.find_spec("trainer") is None or importlib.util.find_spec("torch") is None:
        raise typer.Exit(complain(ClientError("the trainer is not installed here: pip install 'trainingjob[trainer]'")))
    os.execv(sys.executable, [sys.executable, "-m", "trainer", "--config", str(filename), *(args or ())])  # noqa: S606


def examples(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False)] = None,
) -> None:
    """List manifests that train, or print one: trainingjob examples iris | trainingjob submit -f -"""
    from trainingjob_cli.connected import complain
    from trainingjob_cli.examples import found, text_of
    from trainingjob_client.errors import ClientError

    if name is None:
        print(*found(), sep="\n")
        return
    try:
        print(text_of(name), end="")
    except ClientError as error:
        raise typer.Exit(complain(error)) from error
