"""Commands that need the cluster: what each of them accepts besides its own, and what becomes of errors."""

import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from trainingjob_cli.exits import ExitCode
from trainingjob_cli.options import Context, Kubeconfig, Namespace
from trainingjob_cli.program import program

if TYPE_CHECKING:
    from trainingjob_client import AsyncTrainingJobs

Given = ParamSpec("Given")
Connected = Callable[Concatenate["AsyncTrainingJobs", Given], Awaitable[int | None]]

_ADDED = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
    for name, annotation in (("namespace", Namespace), ("context", Context), ("kubeconfig", Kubeconfig))
]


def connected(command: Connected[Given]) -> Callable[..., None]:
    """A command that gets the client first; --namespace, --context and --kubeconfig come to its own options."""
    _, *own = inspect.signature(command).parameters.values()

    def run(*args: Any, namespace: str | None, context: str | None, kubeconfig: str | None, **given: Any) -> None:
        from trainingjob_client import AsyncTrainingJobs

        async def do() -> int | None:
            connection = AsyncTrainingJobs.connect(
                namespace=namespace, context=context, kubeconfig=kubeconfig, field_manager="trainingjob-cli"
            )
            async with await connection as jobs:
                return await command(jobs, *args, **given)

        finish(do)

    run.__doc__, run.__name__ = command.__doc__, getattr(command, "__name__", "")
    run.__signature__ = inspect.Signature([*own, *_ADDED])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*own, *_ADDED)}
    return run


def finish(do: Callable[[], Awaitable[int | None]]) -> None:
    """Ends the command with the code that this returns, or that its error stands for."""
    import asyncio

    import typer

    from trainingjob_client import ClientError

    async def done() -> int:
        return await do() or ExitCode.DONE

    try:
        code = asyncio.run(done())
    except ClientError as error:
        code = complain(error)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


def complain(error: Exception) -> ExitCode:
    """One line on standard error with the next step; the exit code that it stands for."""
    from trainingjob_cli.complaints import code_of, words_of

    print(f"error: {words_of(error, program())}", file=sys.stderr)
    return code_of(error)
