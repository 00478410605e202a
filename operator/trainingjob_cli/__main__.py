"""Runs the command line; what goes wrong is one line on standard error, and an exit code."""

import os
import sys

from typer.exceptions import TyperException

from trainingjob_cli.app import app
from trainingjob_cli.exits import ExitCode
from trainingjob_cli.program import COMPLETING, program


def main() -> None:
    """The console script."""
    if COMPLETING in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    try:
        code = app(prog_name=program(), standalone_mode=False, complete_var=COMPLETING)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else program()
        print(f"error: {error.format_message().rstrip('.')}; see {where} --help", file=sys.stderr)
        code = ExitCode.USAGE
    except BrokenPipeError:  # such as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
