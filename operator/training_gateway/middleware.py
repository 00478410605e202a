"""What holds for every request: its id, its line in the access log, its limits, and the headers of every answer."""

import asyncio
import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from training_gateway import body
from training_gateway.answers import refused
from training_gateway.refusal import Refusal, unavailable

logger = logging.getLogger(__name__)

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STREAMS = re.compile(r"/(stream-progress/|stream-jobs|logs/)")

current_user: ContextVar[list[str]] = ContextVar("current_user")
"""Where the gate leaves the name of whoever asks, for the log."""

Observer = Callable[[str, str, int, float, bool], None]
"""Is told of every request method, route, code, seconds, and whether it was a stream."""


class Frame:
    """Around the whole application."""

    def __init__(self, app: ASGIApp, seconds: float, observe: Observer, log: Callable[[str], None]) -> None:
        self._app, self._seconds, self._observe, self._log = app, seconds, observe, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, begun = Headers(scope=scope), time.monotonic()
        given = headers.get("x-request-id", "")
        request_id = given if _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"], who = request_id, [""]
        current_user.set(who)
        answer = _Answer(send, request_id)
        try:
            await self._answered(scope, receive, answer)
        finally:
            seconds, code = time.monotonic() - begun, answer.code
            route = getattr(scope.get("route"), "path", "")
            self._observe(scope["method"], route, code, seconds, _is_stream(scope))
            self._log(_line(scope, request_id, who[0], code, answer.sent, seconds))

    async def _answered(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """By the application, or with what keeps it from answering."""
        refusal = None
        try:
            async with asyncio.timeout(self._seconds) as limit:
                whole = await body.read(receive, scope["path"])
                if _is_stream(scope):
                    limit.reschedule(None)
                await self._app(scope, whole, answer)
        except Refusal as error:
            refusal = error
        except TimeoutError:
            refusal = unavailable()
        except Exception:
            logger.exception("request %s", scope["request_id"])
            refusal = Refusal(500, "something has gone wrong here; the log has more under this request id")
        if refusal is not None and not answer.code:
            await refused(refusal, scope["request_id"])(scope, receive, answer)


def _is_stream(scope: Scope) -> bool:
    return bool(_STREAMS.search(scope["path"]))


class _Answer:
    """Sends, adds headers, and remembers what was sent."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.code, self.sent = 0, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Request-ID"] = self._request_id
        self.sent += len(message.get("body", b""))
        await self._send(message)


def _line(scope: Scope, request_id: str, user: str, code: int, sent: int, seconds: float) -> str:
    """Without the query and the headers: tokens could be in them."""
    client = scope.get("client")
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "logger": "access",
        "request_id": request_id,
        "client": client[0] if client else "",
        "user": user,
        "method": scope["method"],
        "path": scope["path"],
        "status": code or 499,
        "bytes": sent,
        "seconds": round(seconds, 4),
    }
    return json.dumps(line)


def log_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
