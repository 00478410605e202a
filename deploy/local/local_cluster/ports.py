"""Ports of this machine for servers that are told theirs."""

import secrets
import socket
from itertools import chain, islice

_RANGE = range(20000, 30000)
"""Below what Linux and macOS give to connections and to listeners that ask for any port: those come and go all the
time, also between the choice of a port and its use."""


def free_ports(number: int) -> list[int]:
    """Different ones that nobody listens on."""
    first = secrets.randbelow(len(_RANGE))
    return list(islice(filter(is_free, chain(_RANGE[first:], _RANGE[:first])), number))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports of the last run linger in TIME_WAIT
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
