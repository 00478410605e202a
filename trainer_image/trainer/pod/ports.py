"""Where the ranks of one machine meet."""

import secrets
import socket

_RANGE = range(20000, 30000)
"""Below what Linux, macOS and Windows give to connections and to listeners that ask for any port."""


def free_port() -> int:
    """Nobody listens on it, and only a chooser like this one could take it before its user does."""
    while True:
        port = secrets.choice(_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
