"""Standard output: colours on a terminal, plain text elsewhere and with NO_COLOR."""

from collections.abc import Iterable

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.theme import Theme

_STYLES = {
    "job.good": "green",
    "job.busy": "cyan",
    "job.waits": "yellow",
    "job.bad": "bold red",
    "job.title": "bold",
}


class _Phases(RegexHighlighter):
    base_style = "job."
    highlights = [  # noqa: RUF012  (rich's own way)
        r"(?P<good>\bSucceeded\b)",
        r"(?P<busy>\b(Running|Starting|Finishing)\b)",
        r"(?P<waits>\b(Pending|Queued|Pausing|Paused|Restarting)\b)",
        r"(?P<bad>\b(Failed|Stalled|Warning)\b)",
    ]


PHASES = _Phases()


def console(*, stderr: bool = False) -> Console:
    return Console(theme=Theme(_STYLES), highlighter=PHASES, stderr=stderr, soft_wrap=True, markup=False, emoji=False)


def show(lines: Iterable[str]) -> None:
    """Lines as they are, with phases in their colours where there are colours."""
    out = console()
    for line in lines:
        out.print(line)
