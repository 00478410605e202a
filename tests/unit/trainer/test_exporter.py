"""The pods' server as those see it who scrape, probe and try: over real connections."""

import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.trainer import recipe, run_config
from trainer.reporting import exporter
from trainer.reporting.board import Board
from trainer.reporting.catalogue import OF_EVERY_POD, STEPS
from trainingjob_api.progress import State


def serving(rank: int) -> str:
    board = Board(run_config(Path("/c"), recipe(Path("/t.csv"))), rank=rank, world_size=4, device_memory=lambda: 9)
    board.enter(State.TRAINING)
    board.stepped(8)
    return exporter.serve(board, None)


@pytest.fixture(scope="module")
def address() -> tuple[str, int]:
    place = urlsplit(serving(rank=0))
    return str(place.hostname), int(place.port or 0)


@pytest.fixture
def connection(address: tuple[str, int]) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection(*address, timeout=30)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/metrics", 200, id="a scrape"),
        pytest.param("GET", "/metrics?name[]=up", 200, id="a scrape with a query"),
        pytest.param("GET", "/progress", 200, id="the operator"),
        pytest.param("GET", "/history", 200, id="every epoch"),
        pytest.param("GET", "/history?after=3", 200, id="those after one"),
        pytest.param("GET", "/history?after=%C2%B2&after=-1&&x", 200, id="those after nonsense"),
        pytest.param("GET", "/healthz", 200, id="a probe"),
        pytest.param("HEAD", "/metrics", 200, id="only whether it is there"),
        pytest.param("HEAD", "/nothing", 404, id="only whether something is there that is not"),
        pytest.param("GET", "/", 404, id="a person without a path"),
        pytest.param("GET", "/metrics/..", 404, id="a path that is none"),
        pytest.param("POST", "/metrics", 405, id="a write"),
        pytest.param("DELETE", "/progress", 405, id="a deletion"),
        pytest.param("OPTIONS", "/metrics", 405, id="a browser's question"),
        pytest.param("BREW", "/metrics", 501, id="a method that nobody has heard of"),
    ],
)
def test_every_request_has_its_answer(connection: HTTPConnection, method: str, path: str, status: int) -> None:
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == status
    assert bool(body) == (method != "HEAD")
    assert answer.getheader("Allow") == ("GET, HEAD" if status == 405 else None)
    if method == "HEAD":
        assert int(answer.getheader("Content-Length") or 0) > 0


def test_scrapes_follow_each_other_on_one_connection(connection: HTTPConnection) -> None:
    used = set()
    for method, path in [("GET", "/metrics"), ("HEAD", "/metrics"), ("GET", "/nothing"), ("GET", "/progress")] * 2:
        connection.request(method, path)
        assert connection.sock is not None
        used.add(connection.sock.getsockname())
        connection.getresponse().read()
    assert len(used) == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_what_a_client_sends_along_is_never_read_as_a_request(address: tuple[str, int], method: str) -> None:
    inner = b"GET /progress HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(address, timeout=30) as client, client.makefile("rb") as answers:
        client.sendall(
            f"{method} /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: {len(inner)}\r\n\r\n".encode() + inner
        )
        assert answers.read().count(b"HTTP/1.1 ") == 1, "one answer, then the end of the connection"


def test_clients_that_say_nothing_or_leave_are_no_event(
    address: tuple[str, int], connection: HTTPConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    for said in (b"", b"GET /metrics HT", b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 500):
        with socket.create_connection(address, timeout=30) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset
            client.sendall(said)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    assert capfd.readouterr() == ("", "")


def names(page: str) -> set[str]:
    families = text_string_to_metric_families(page)
    return {family.name for family in families if family.samples}


def test_other_pods_tell_of_themselves_and_nothing_that_would_count_twice() -> None:
    with urlopen(f"{serving(rank=2)}/metrics") as answer:
        page = answer.read().decode()
    assert names(page) == {family.name.removesuffix("_total") for family in OF_EVERY_POD}
    assert "trainingjob_rank 2.0" in page
    assert STEPS.name not in page
    connection = HTTPConnection(urlsplit(serving(rank=2)).netloc, timeout=30)
    with closing(connection):
        connection.request("GET", "/progress")
        assert connection.getresponse().status == 404, "progress is rank 0's to tell"
