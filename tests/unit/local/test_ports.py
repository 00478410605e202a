import socket
from collections.abc import Callable

import pytest

from local_cluster.ports import free_ports, is_free
from trainer.pod.ports import free_port

LINUX_GIVES_OUT_FROM = 32768


@pytest.mark.parametrize("choose", [free_port, lambda: free_ports(1)[0]])
def test_a_free_port_can_be_listened_on_and_is_given_to_nobody_who_asks_for_any(choose: Callable[[], int]) -> None:
    port = choose()
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        assert port < LINUX_GIVES_OUT_FROM
        assert not is_free(port)


def test_ports_are_different_and_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not is_free(server.getsockname()[1])
    ports = free_ports(100)
    assert len(set(ports)) == len(ports) == 100
    assert all(map(is_free, ports))
