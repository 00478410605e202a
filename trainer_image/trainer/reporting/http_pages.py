"""A few pages over HTTP/1.1, for scrapers, probes and people; in the background of whatever else the process does."""

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_IDLE_SECONDS = 75  # longer than scrapers wait between two scrapes, which then need no new connection


@dataclass(frozen=True)
class Page:
    """What is answered; the length is added."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a page may depend on."""

    headers: Message
    query: Mapping[str, str]


Pages = Mapping[str, Callable[[Asked], Page]]
"""Path -> what makes its page."""


def serve(address: tuple[str, int], pages: Pages) -> tuple[str, int]:
    """Starts serving; returns where. OSError if the address cannot be had."""
    server = _server_class(address[0])(address, _handler_for(pages))
    threading.Thread(target=server.serve_forever, name="exporter", daemon=True).start()
    host, port = server.server_address[:2]
    return str(host), port


def _server_class(host: str) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away in the middle is no event; training's log is not about clients."""

    return Server


def _handler_for(pages: Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            if self._has_body():
                self.close_connection = True  # nobody reads it, so that the next request would begin in it
            url = urlsplit(self.path)
            make = pages.get(url.path)
            if make is None:
                self._answer(HTTPStatus.NOT_FOUND, _text(f"there are {', '.join(pages)}"))
            else:
                self._answer(HTTPStatus.OK, make(Asked(self.headers, dict(parse_qsl(url.query)))))

        do_HEAD = do_GET  # noqa: N815

        def _refuse(self) -> None:
            self.close_connection = True
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, _text("only GET and HEAD"), {"Allow": "GET, HEAD"})

        do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815

        def _has_body(self) -> bool:
            return "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"

        def _answer(self, status: HTTPStatus, page: Page, more: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**page.headers, **(more or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page.body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(page.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Scrapes are not events."""

    return Handler


def _text(words: str) -> Page:
    return Page(f"{words}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})
