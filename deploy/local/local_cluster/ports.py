"""Ports of this machine for servers that are told theirs."""

import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, islice

_RANGE = range(10000, 20000)
"""Below what Linux gives to connections and to listeners that ask for any port, and below where ranks of pods meet: a
server that is started again finds its port as it left it."""


@contextmanager
def reserved_ports(number: int, preferred: Sequence[int] = ()) -> Iterator[list[int]]:
    """Different ones that nobody else gets until the block ends; the preferred ones, if nobody has one of them.

    Whoever is told their numbers can listen on them, if it lets addresses be reused, as Go and asyncio do.
    """
    with ExitStack() as holders:
        ports = [port for port in preferred if _hold(port, holders)]
        if len(ports) < number:
            first = secrets.randbelow(len(_RANGE))
            candidates = chain(_RANGE[first:], _RANGE[:first])
            ports = list(islice((port for port in candidates if _hold(port, holders)), number))
        yield ports


def _hold(port: int, holders: ExitStack) -> bool:
    """Whether it could be taken: by TCP from those who listen, by UDP from others who hold it as it is held here."""
    with ExitStack() as taken:
        try:
            taken.enter_context(_bound(socket.SOCK_DGRAM, port, shared=False))
            taken.enter_context(_bound(socket.SOCK_STREAM, port, shared=True))
        except OSError:
            return False
        holders.push(taken.pop_all())
        return True


@contextmanager
def _bound(kind: socket.SocketKind, port: int, shared: bool) -> Iterator[None]:
    with socket.socket(type=kind) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(shared))
        holder.bind(("127.0.0.1", port))
        yield
