"""Where the ranks of one machine meet."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that this machine gives to nobody else meanwhile.

    Whoever is told its number can listen on it, if it lets addresses be reused, as PyTorch's stores do.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        yield holder.getsockname()[1]
