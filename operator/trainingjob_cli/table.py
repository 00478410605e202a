"""Tables as kubectl prints them: columns of text, three spaces apart. Pure."""

from collections.abc import Sequence

_GAP = "   "


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> list[str]:
    """Lines; columns whose titles are in `right` end at the same place."""
    lines = [[*titles], *([*row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(titles))]
    ends = [title in right for title in titles]
    return [
        _GAP.join(
            cell.rjust(width) if end else cell.ljust(width) for cell, width, end in zip(line, widths, ends, strict=True)
        ).rstrip()
        for line in lines
    ]


def without_empty(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Without the columns in which no row has anything, such as the accuracy of regressions."""
    kept = [place for place in range(len(titles)) if any(row[place] for row in rows)]
    return [titles[place] for place in kept], [[row[place] for place in kept] for row in rows]


def fields(pairs: Sequence[tuple[str, str]], indent: int = 0) -> list[str]:
    """Names and values below each other; what is empty is left out."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0) + 1
    return [f"{' ' * indent}{name + ':':<{width}}  {value}" for name, value in shown]
