"""Curves in the terminal, by plotext."""

from collections.abc import Sequence

import plotext

from trainingjob_client.history import JobHistory, names
from trainingjob_client.panels import LOSS, Panel, panels_for, split_of

_HEIGHT = 15


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
    figure.title(panel.title)
    for place, (label, epochs, values) in enumerate(_lines(panel, histories)):
        marker = None if colour else "abcdefghijklmnopqrstuvwxyz"[place % 26]
        signal = figure.signal(epochs, values, marker=marker)
        signal.lines(len(epochs) > 1)
        signal.label(label if colour else f"{label} ({marker})")
        figure.draw(signal)
    if len(histories) == 1:
        for start in histories[0].attempts[1:]:
            figure.line(start.first_epoch, "vertical")
    text: str = figure.build().string(not colour)
    return text.rstrip("\n").split("\n")


def _lines(panel: Panel, histories: Sequence[JobHistory]) -> list[tuple[str, list[int], list[float]]]:
    """Name, epochs and values of each curve; of several jobs only the validation's, where there is one."""
    found = []
    for history in histories:
        metrics = [metric for metric in panel.metrics if history.series(metric)[0]]
        for metric in metrics[-1:] if len(histories) > 1 else metrics:
            label = history.name if len(histories) > 1 else split_of(metric) or panel.title.lower()
            found.append((label, *history.series(metric)))
    return found
