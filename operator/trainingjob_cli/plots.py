"""Curves: where they go."""

from collections.abc import Sequence
from pathlib import Path

from trainingjob_cli.screen import console
from trainingjob_client import ClientError, JobHistory

_KINDS = (".png", ".svg", ".pdf")
_WIDEST = 120


def draw(histories: Sequence[JobHistory], output: Path | None) -> None:
    """In the terminal, or into a file; ClientError when there is nothing to draw."""
    if not any(history.rows for history in histories):
        raise ClientError(f"nothing is known of any epoch of {', '.join(each.name for each in histories)} yet")
    if output is None:
        return _in_terminal(histories)
    if output.suffix not in _KINDS:
        raise ClientError(f"{output} must end in one of {', '.join(_KINDS)}")
    from trainingjob_client.plotting import curves, save

    try:
        save(curves(histories), output)
    except OSError as error:
        raise ClientError(f"{output} cannot be written: {error.strerror}") from error
    print(f"Written: {output}")
    return None


def _in_terminal(histories: Sequence[JobHistory]) -> None:
    from trainingjob_cli.terminal_plot import terminal_curves

    out = console()
    colour = out.is_terminal and not out.no_color
    for each in terminal_curves(histories, min(out.width, _WIDEST), colour=colour):
        print(each)
