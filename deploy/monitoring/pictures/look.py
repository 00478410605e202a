"""Colours and sizes of the pictures."""

from collections.abc import Mapping

CANVAS = "#111217"
CARD = "#181b1f"
EDGE = "#2b2e35"
TEXT = "#d5d8dc"
FAINT = "#8e939b"
GRID = "#282b31"
NAMED = {
    "green": "#73bf69",
    "yellow": "#fade2a",
    "blue": "#5794f2",
    "orange": "#ff9830",
    "red": "#f2495c",
    "purple": "#b877d9",
    "light-green": "#96d98d",
    "dark-green": "#37872d",
    "light-yellow": "#ffee52",
    "light-blue": "#8ab8ff",
    "light-orange": "#ffb357",
    "text": FAINT,
}
PALETTE = [
    "#73bf69",
    "#fade2a",
    "#5794f2",
    "#ff9830",
    "#f2495c",
    "#b877d9",
    "#8ab8ff",
    "#ffa6b0",
    "#96d98d",
    "#ffee52",
    "#ca95e5",
    "#ffb357",
]
"""Grafana's own order for series that have no colour of theirs."""


def color(index: int, override: Mapping[str, object]) -> str:
    """Of the n-th series, or the one that the board gives it."""
    fixed = override.get("color")
    if isinstance(fixed, Mapping) and fixed.get("mode") == "fixed":
        name = str(fixed["fixedColor"])
        return NAMED.get(name, name)
    return PALETTE[index % len(PALETTE)]
