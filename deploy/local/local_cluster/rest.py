"""Blocking access to the API server and to the node's server, for the command line and for tests:
JSON in, JSON out, TLS verified, one connection per request."""

import dataclasses
import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]


class RestError(Exception):
    """The server refused a request; carries its HTTP status and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Endpoint:
    """One HTTPS server on this machine, and who we are to it."""

    port: int
    ca: Path
    certificate: Path
    key: Path
    timeout: float = 30.0

    def request(self, method: str, path: str, body: Object | None = None) -> Object:
        """The decoded answer. RestError when it is refused, OSError when nobody answers."""
        headers = {"Accept": "application/json", "Content-Type": _content_type(method)}
        return _decode(self._send(method, path, json.dumps(body) if body is not None else None, headers))

    def text(self, path: str) -> str:
        return self._send("GET", path, None, {}).decode(errors="replace")

    def get(self, path: str) -> Object:
        return self.request("GET", path)

    def post(self, path: str, body: Object) -> Object:
        return self.request("POST", path, body)

    def create(self, path: str, body: Object) -> None:
        """POST that is content with an object that is already there."""
        try:
            self.post(path, body)
        except RestError as error:
            if error.status != http.client.CONFLICT:
                raise

    def with_timeout(self, seconds: float) -> "Endpoint":
        return dataclasses.replace(self, timeout=seconds)

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> bytes:
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.certificate, self.key)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=self.timeout, context=context)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise RestError(response.status, _message(content))
        return content


def _content_type(method: str) -> str:
    return "application/merge-patch+json" if method == "PATCH" else "application/json"


def _decode(content: bytes) -> Object:
    return dict(json.loads(content)) if content.strip() else {}


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip()
