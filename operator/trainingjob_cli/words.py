"""Numbers, times and sizes as kubectl and the trainer print them. Pure."""

import re
from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_YEAR = 365 * _DAY
_UNITS = {"s": 1, "m": _MINUTE, "h": _HOUR, "d": _DAY}


def age(seconds: float) -> str:
    """As kubectl prints ages: two units while the second one says something."""
    whole = int(seconds)
    if whole < 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _two(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_name}" + (f"{rest}{small_name}" if rest else "")


def since(time: datetime | None, now: datetime) -> str:
    return "<unknown>" if time is None else age((now - time).total_seconds())


def seconds_of(text: str) -> float:
    """90s, 10m, 1h30m, 2d, or a number of seconds; ValueError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no time such as 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)


def number(value: float | None) -> str:
    """Four significant digits; empty for what is not known."""
    return "" if value is None else f"{value:.4g}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def size(count: int) -> str:
    """Bytes as a person says them."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def count(number: int, what: str) -> str:
    """1 epoch, 2 epochs."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
