"""The built pages, served by the process itself, and the embedded application around them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from madang.http.asgi import PROBLEM_HANDLERS, SECURITY_HEADERS
from madang.http.body import with_measured_bodies

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

INDEX = "index.html"
HASHED = "assets/"
"""Below this the name of a file carries a digest of its content."""

API_THREADS = 16

_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_BUILT = (
    "Madang is running, but its pages are not built.\n"
    "Build them with `make setup`, or point MADANG_WEB_ROOT at a directory that has them.\n"
)


class _Pages(StaticFiles):
    """The built files; a path of a page that only the program in the browser knows is its index."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if "\0" in path:
            raise HTTPException(404)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or not _may_be_page(path, Request(scope)):  # noqa: PLR2004
                raise
            response = await super().get_response(INDEX, scope)
        response.headers.update(SECURITY_HEADERS)
        response.headers["Cache-Control"] = _FOR_EVER if path.startswith(HASHED) else "no-cache"
        return response


def pages(web_root: Path) -> ASGIApp:
    """Serve the built pages in `web_root`, or say in one sentence that there are none."""
    if not (web_root / INDEX).is_file():
        return PlainTextResponse(_NOT_BUILT, 503, dict(SECURITY_HEADERS))
    return GZipMiddleware(_Pages(directory=web_root, html=True), minimum_size=1024)


def embedded_app(
    routes: Sequence[BaseRoute], wsgi_app: "WSGIApplication", web_root: Path
) -> Starlette:
    """Everything on one port: `routes`, then the API below `/api`, then the pages.

    Args:
        routes: what is answered in the event loop.
        wsgi_app: the API; it sees whole paths.
        web_root: the directory of the built pages.
    """
    app = Starlette(routes=list(routes), exception_handlers=PROBLEM_HANDLERS)
    api = _as_asgi(wsgi_app)
    web = pages(web_root)

    async def rest(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        await (api if path == "/api" or path.startswith("/api/") else web)(scope, receive, send)

    app.router.redirect_slashes = False
    app.router.default = rest
    return app


def _as_asgi(application: "WSGIApplication") -> ASGIApp:
    measured = with_measured_bodies(application)
    # a2wsgi has types of its own for the same protocols.
    return cast("ASGIApp", WSGIMiddleware(cast("Any", measured), workers=API_THREADS))


def _may_be_page(path: str, request: Request) -> bool:
    if path.startswith(HASHED):
        return False
    return "." not in path.rpartition("/")[2] or "text/html" in request.headers.get("accept", "")
