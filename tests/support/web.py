"""Web servers of a test's own."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a word on each request."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a web server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answers(port: int) -> bool:
    """Whether anybody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
