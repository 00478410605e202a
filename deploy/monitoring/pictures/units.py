"""Numbers as Grafana writes them, by the names that it has for units."""

import math
from collections.abc import Sequence

_SECONDS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BINARY = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
_THOUSANDS = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
_SUFFIXES = {"percent": "%", "ops": " ops/s", "reqps": " req/s"}


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """With three significant digits, or as many decimals as asked for."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit == "percentunit":
        return f"{_digits(100 * value, decimals)}%"
    if unit == "sci":
        return f"{value:.1e}" if value else "0"
    if unit == "s":
        return _scaled(value, _SECONDS, decimals, " ")
    if unit == "bytes":
        return _scaled(value, _BINARY, decimals, " ")
    return _scaled(value, _THOUSANDS, decimals, "") + _SUFFIXES.get(unit, "")


def size(largest: float, unit: str) -> float:
    """In which steps on an axis up to this value are whole numbers: 1024 bytes, 60 seconds, or just 1."""
    scales = {"s": _SECONDS, "bytes": _BINARY}.get(unit, ())
    return next((each for each, _ in scales if largest >= 2 * each), 1.0)


def _scaled(value: float, scales: Sequence[tuple[float, str]], decimals: int | None, space: str) -> str:
    for size, name in scales:
        if abs(value) >= size:
            return f"{_digits(value / size, decimals)}{space}{name}"
    smallest = next((name for size, name in scales if size == 1.0), "")
    return f"{_digits(value, decimals)}{space if smallest else ''}{smallest}"


def _digits(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    places = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{min(places, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
