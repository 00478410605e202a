"""What a person should know of the data before a number is believed: what lies there and is not used."""

from collections.abc import Iterable

_SHOWN = 5


class Notices:
    """Sentences, each once."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._texts)

    def add(self, text: str) -> None:
        self._texts[text] = None

    def not_read(self, place: str, names: Iterable[str]) -> None:
        """Of files and folders below a place."""
        if shown := listed(names):
            self.add(f"{place}: not read: {shown}")


def listed(names: Iterable[str]) -> str:
    """The first few in words; empty if there are none."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more
