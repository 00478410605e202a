"""A curve in one line of text. Pure."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """From the lowest value (▁) to the highest (█), in at most so many characters: each stands for as many values."""
    count = min(width, len(values))
    shares = [values[len(values) * place // count : len(values) * (place + 1) // count] for place in range(count)]
    means = [sum(share) / len(share) for share in shares]
    low, high = min(means, default=0.0), max(means, default=0.0)
    heights = (round((mean - low) / (high - low) * (len(_BARS) - 1)) if high > low else 0 for mean in means)
    return "".join(_BARS[height] for height in heights)
