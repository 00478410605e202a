"""Curves in the terminal, by plotext."""

from collections.abc import Sequence
from typing import Any

import plotext

from trainingjob_client.history import JobHistory, names
from trainingjob_client.panels import LOSS, Panel, is_logarithmic, panels_for, split_of

_HEIGHT = 15
_COLOURS = (4, 3, 2, 5, 1, 6)
"""Of a terminal's own sixteen, so that they fit its background."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def terminal_curves(
    histories: Sequence[JobHistory], width: int, *, colour: bool, panels: Sequence[Panel] | None = None
) -> list[str]:
    """Lines; without colour the curves differ by their letters."""
    chosen = panels_for(names(histories))[:3] if panels is None else panels
    return [line for panel in chosen or [LOSS] for line in _drawn(panel, histories, width, colour)]


def _drawn(panel: Panel, histories: Sequence[JobHistory], width: int, colour: bool) -> list[str]:
    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if colour else "colorless")
    figure.plot_size(width, _HEIGHT)
    figure.legend(False)
    lines = _lines(panel, histories)
    if is_logarithmic(panel, [value for _, _, values in lines for value in values]):
        figure.ruler("y").scale("log")
    for place, (_, epochs, values) in enumerate(lines):
        signal = figure.signal(epochs, values, marker=_marker(place, colour))
        signal.lines(len(epochs) > 1)
        figure.draw(signal)
    if len(histories) == 1:
        for start in histories[0].attempts[1:]:
            figure.line(start.first_epoch, "vertical")
    text: str = figure.build().string(not colour)
    return [_title(panel, [label for label, _, _ in lines], colour), *text.rstrip("\n").split("\n")]


def _marker(place: int, colour: bool) -> Any:
    return plotext.marker("hd", _COLOURS[place % len(_COLOURS)]) if colour else _LETTERS[place % len(_LETTERS)]


def _title(panel: Panel, labels: Sequence[str], colour: bool) -> str:
    """Above the curves, where it covers none of them."""
    marks = [
        f"\x1b[3{_COLOURS[place % len(_COLOURS)]}m━━\x1b[0m" if colour else _LETTERS[place % len(_LETTERS)]
        for place in range(len(labels))
    ]
    return "   ".join([panel.title, *(f"{mark} {label}" for mark, label in zip(marks, labels, strict=True))])


def _lines(panel: Panel, histories: Sequence[JobHistory]) -> list[tuple[str, list[int], list[float]]]:
    """Name, epochs and values of each curve; of several jobs only the validation's, where there is one."""
    found = []
    for history in histories:
        metrics = [metric for metric in panel.metrics if history.series(metric)[0]]
        for metric in metrics[-1:] if len(histories) > 1 else metrics:
            label = history.name if len(histories) > 1 else split_of(metric) or panel.title.lower()
            found.append((label, *history.series(metric)))
    return found
