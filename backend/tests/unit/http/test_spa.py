"""The embedded application: pages, API and live on one port."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from flask import Blueprint, Response, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from madang.http.app import create_app
from madang.http.guard import public
from madang.http.spa import embedded_app
from tests.unit.live.builders import run

INDEX = "<!doctype html><title>Madang</title>" + " " * 2000
CHUNKED = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
Ask = Callable[..., httpx.Response]


def api() -> Blueprint:
    blueprint = Blueprint("test", __name__, url_prefix="/api")

    @blueprint.post("/echo")
    @public
    def echo() -> Response:
        return Response(str(len(request.get_data())))

    return blueprint


async def live(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("live")


def built(root: Path) -> Starlette:
    (root / "assets").mkdir()
    (root / "index.html").write_text(INDEX)
    (root / "assets" / "index-1a2b.js").write_text("1")
    (root / "favicon.svg").write_text("<svg/>")
    wsgi_app = create_app([api()], lambda _request: None)
    return embedded_app([Route("/api/live", live)], wsgi_app, root)


def ask_of(app: Starlette) -> Ask:
    def ask(path: str, method: str = "GET", **options: object) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://madang") as client:
                return await client.request(method, path, **options)  # type: ignore[arg-type]

        return run(asked())

    return ask


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return ask_of(built(tmp_path))


@pytest.mark.parametrize("path", ["/", "/index.html", "/calls", "/calls/history", "/account?a=b.c"])
def test_pages_are_the_index_and_never_cached_unasked(ask: Ask, path: str) -> None:
    answer = ask(path)

    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_page_whose_path_has_a_dot_is_found_by_browsers(ask: Ask) -> None:
    path = "/users/first.last"

    assert ask(path, headers={"Accept": "text/html,*/*"}).text == INDEX
    assert ask(path).status_code == 404


def test_the_index_is_not_sent_again_when_it_has_not_changed(ask: Ask) -> None:
    tag = ask("/").headers["etag"]

    answer = ask("/calls", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.headers["cache-control"]) == (304, "no-cache")


def test_assets_are_cached_for_ever(ask: Ask) -> None:
    answer = ask("/assets/index-1a2b.js")

    assert answer.text == "1"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert ask("/favicon.svg").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/index-0000.js",
        "/assets/gone",
        "/robots.txt",
        "/a%00b",
        "/..%2f..%2fetc%2fpasswd.txt",
        "/" + "x" * 5000 + ".js",
    ],
)
def test_files_that_are_not_there_are_not_found(ask: Ask, path: str) -> None:
    answer = ask(path, headers={"Accept": "*/*"})

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert "cache-control" not in answer.headers or "max-age" not in answer.headers["cache-control"]


def test_pages_refuse_other_methods(ask: Ask) -> None:
    assert ask("/calls", "POST").json()["code"] == "method_not_allowed"


def test_the_api_answers_below_api_and_routes_come_first(ask: Ask) -> None:
    assert ask("/api/live").text == "live"
    assert ask("/api/live/").json()["code"] == "not_found"
    assert ask("/api").json()["code"] == "not_found"
    assert ask("/api/unknown.txt").json()["code"] == "not_found"
    assert ask("/apis").text == INDEX
    assert ask("/api/docs").status_code == 200


@pytest.mark.parametrize(("size", "answer"), [(0, (200, "0")), (5, (200, "5"))])
def test_chunked_bodies_reach_the_api(ask: Ask, size: int, answer: tuple[int, str]) -> None:
    got = ask("/api/echo", "POST", content=pieces(size), headers=CHUNKED)

    assert (got.status_code, got.text) == answer


@pytest.mark.parametrize("size", [65_537, 1_000_000])
def test_a_chunked_body_that_is_too_large_is_refused(ask: Ask, size: int) -> None:
    got = ask("/api/echo", "POST", content=pieces(size), headers=CHUNKED)

    assert (got.status_code, got.json()["code"]) == (413, "body_too_large")


async def pieces(size: int) -> AsyncIterator[bytes]:
    for at in range(0, size, 16_384):
        yield b"x" * min(16_384, size - at)


def test_without_built_pages_it_says_so(tmp_path: Path) -> None:
    ask = ask_of(embedded_app([], create_app([api()], lambda _request: None), tmp_path))

    answer = ask("/")

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "not built" in answer.text
    assert ask("/api/docs").status_code == 200
