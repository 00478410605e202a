"""The web page: files as they are, and plotly's JavaScript out of its Python package."""

import gzip
import importlib.util
from hashlib import sha256
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).with_name("page")
PLOTLY = "/static/plotly.min.js"


class Page(StaticFiles):
    """Asked for anew each time, and answered with 304 while it has not changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


class Plotly:
    """Compressed once, when it is first asked for."""

    def __init__(self) -> None:
        self._data, self._tag = b"", ""

    async def __call__(self, request: Request) -> Response:
        if not self._data:
            source = plotly_source()
            self._data, self._tag = gzip.compress(source, 6), f'"{sha256(source).hexdigest()[:24]}"'
        headers = {"ETag": self._tag, "Cache-Control": "public, max-age=604800", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(gzip.decompress(self._data), media_type="text/javascript", headers=headers)
        return Response(self._data, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})


def plotly_source() -> bytes:
    """Without importing plotly, which takes a second."""
    found = importlib.util.find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    return (Path(found.origin).parent / "package_data" / "plotly.min.js").read_bytes()


def mount(app: FastAPI) -> None:
    app.add_route(PLOTLY, Plotly().__call__, include_in_schema=False)
    if PAGE.is_dir():
        app.mount("/", Page(directory=PAGE, html=True, check_dir=False))
