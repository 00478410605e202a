"""Arguments and options that several commands have. What takes long to import is imported when it is used."""

from typing import Annotated, Any

import typer

from trainingjob_cli.exits import ExitCode


def complete_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the namespace's jobs, for the shell; none if the cluster does not tell them quickly."""
    from trainingjob_cli.completing import names

    return names(context.params, incomplete)


def complete_namespaces(context: typer.Context, incomplete: str) -> list[str]:
    from trainingjob_cli.completing import namespaces

    return namespaces(context.params, incomplete)


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Of the TrainingJob.", autocompletion=complete_names, show_default=False)
]
Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Of TrainingJobs.", autocompletion=complete_names, show_default=False),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="Default: that of the kubeconfig's context.",
        autocompletion=complete_namespaces,
        show_default=False,
    ),
]
Context = Annotated[str | None, typer.Option(help="Of the kubeconfig.", show_default=False)]
Kubeconfig = Annotated[
    str | None, typer.Option(metavar="FILE", help="Default: KUBECONFIG, else ~/.kube/config.", show_default=False)
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of the whole cluster.")]


def one_of(*words: str) -> Any:
    """A callback that refuses any other word."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(words)}")
        return value

    return check


Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="json|yaml|name|wide",
        help="Instead of the table.",
        callback=one_of("json", "yaml", "name", "wide"),
        autocompletion=lambda: ["json", "yaml", "name", "wide"],
        show_default=False,
    ),
]


def _seconds(text: str) -> float:
    from trainingjob_cli.words import seconds_of

    try:
        return seconds_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Timeout = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        parser=_seconds,
        help=f"Such as 90s, 10m, 24h; after it the exit code is {ExitCode.TIMED_OUT:d}. Default: none.",
        show_default=False,
    ),
]
