"""Ports that are promised to somebody who listens on them later."""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from local_cluster.ports import reserved_ports
from trainer.pod.ports import reserved_port
from trainingjob_api.contract import rendezvous_port

LINUX_GIVES_OUT_FROM = 32768


@contextmanager
def last_of_three() -> Iterator[int]:
    with reserved_ports(3) as ports:
        yield ports[-1]


@pytest.mark.parametrize("reserved", [reserved_port, last_of_three])
def test_who_is_told_of_it_can_listen_and_nobody_else_gets_it(
    reserved: Callable[[], AbstractContextManager[int]],
) -> None:
    with reserved() as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use") as refused:
            other.bind(("127.0.0.1", port))
        assert refused.value.errno == errno.EADDRINUSE
        with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(server.getsockname()):
            pass
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_the_ranks_store_can_listen_on_it() -> None:
    limit = timedelta(seconds=60)
    with reserved_port() as port:
        store = TCPStore("127.0.0.1", port, None, True, limit, wait_for_workers=False)
        store.set("key", "value")
        assert TCPStore("127.0.0.1", port, None, False, limit).get("key") == b"value"


def test_ports_are_different_and_nobody_reserves_them_twice() -> None:
    with reserved_ports(100) as ports, reserved_ports(4, preferred=ports[:4]) as others:
        assert len({*ports, *others}) == 104


def test_the_preferred_ones_are_given_if_nobody_listens_on_one_of_them() -> None:
    with reserved_ports(3) as before:
        pass
    with reserved_ports(3, preferred=before) as again:
        assert again == before
    with socket.create_server(("127.0.0.1", before[1])), reserved_ports(3, preferred=before) as others:
        assert len(others) == 3
        assert not set(others) & set(before)


def test_a_server_that_is_started_again_finds_its_port_as_it_left_it() -> None:
    """Neither a connection nor the ranks of a pod take it meanwhile."""
    where_ranks_meet = [rendezvous_port(f"uid-{number}", 1) for number in range(1000)]
    with reserved_ports(20) as ports:
        assert max(ports) < min(*where_ranks_meet, LINUX_GIVES_OUT_FROM)
