"""The web process: the project's own nginx configuration in front of a small real server."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from madang.http.app import CONTENT_SECURITY_POLICY
from tests.services.nginx import TEMPLATE, Nginx, nginx, render
from tests.services.ports import free_port
from tests.services.process import find_program
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Upstream(ThreadingHTTPServer):
    """Answers with the request it got; streams under /api/live; hangs up under /api/broken."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.second_event = threading.Event()


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        if self.path == "/api/live":
            self._stream()
        elif self.path == "/api/broken":
            self.close_connection = True
        else:
            self._echo()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._echo()

    def _echo(self) -> None:
        body = json.dumps({"path": self.path, "headers": dict(self.headers), "pad": "x" * 2000})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "private")
        self.send_header("X-Request-Id", self.headers["X-Request-Id"])
        self.end_headers()
        self.wfile.write(body.encode())

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        self.server.second_event.wait(10)
        self.wfile.write(b"data: second\n\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Keep the test output clean."""


@contextmanager
def upstream() -> Iterator[Upstream]:
    """The server that stands for api and live."""
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def api() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def web(api: Upstream, services_directory: Path) -> Iterator[Nginx]:
    """nginx with a tiny built application."""
    root = services_directory / "nginx-root"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<title>마당</title>")
    (root / "assets" / "app-1a2b3c.js").write_text("// " + "x" * 2000)
    (root / "theme.js").write_text("// theme")
    with nginx(
        services_directory / "nginx",
        api_port=api.server_port,
        live_port=api.server_port,
        web_root=root,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def lonely_web(web: Nginx, services_directory: Path) -> Iterator[Nginx]:
    """nginx whose upstreams are down."""
    with nginx(
        services_directory / "lonely-nginx",
        api_port=free_port(),
        live_port=free_port(),
        web_root=services_directory / "nginx-root",
    ) as server:
        yield server


def access_log(web: Nginx, path: str) -> list[dict[str, object]]:
    """The access log's lines for a path."""
    lines = (json.loads(line) for line in web.process.log.read_text().splitlines())
    return [line for line in lines if line["path"] == path]


def test_nginx_accepts_the_configuration_without_a_warning(web: Nginx) -> None:
    configuration = web.process.log.parent / "nginx.conf"
    tested = subprocess.run(
        [find_program("nginx"), "-t", "-q", "-e", "stderr", "-c", configuration],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr.replace("open file resource limit", "")


def test_only_our_own_variables_are_put_in(web: Nginx) -> None:
    template = TEMPLATE.read_text()
    with pytest.raises(KeyError, match="MADANG_WEB"):
        render(template, {})
    rendered = (web.process.log.parent / "nginx.conf").read_text()
    assert "${" not in rendered
    assert "proxy_set_header Host $http_host;" in rendered


@pytest.mark.parametrize("path", ["/", "/calls", "/messages/12", "/apix", "/a/b/c?q=%ED%95%9C"])
def test_pages_are_the_application_and_never_cached_unseen(web: Nginx, path: str) -> None:
    answer = httpx.get(web.url + path)
    assert answer.status_code == 200
    assert answer.text == "<title>마당</title>"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_assets_are_kept_for_a_year_and_compressed(web: Nginx) -> None:
    answer = httpx.get(f"{web.url}/assets/app-1a2b3c.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert "javascript" in answer.headers["content-type"]
    etag = answer.headers["etag"]
    again = httpx.get(f"{web.url}/assets/app-1a2b3c.js", headers={"If-None-Match": etag})
    assert again.status_code == 304


def test_files_without_a_hash_in_their_name_are_asked_for_again(web: Nginx) -> None:
    assert httpx.get(f"{web.url}/theme.js").headers["cache-control"] == "no-cache"


def test_missing_asset_is_404_and_not_the_application(web: Nginx) -> None:
    answer = httpx.get(f"{web.url}/assets/app-0ld.js")
    assert answer.status_code == 404
    assert "마당" not in answer.text
    assert "immutable" not in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/messages", "/api/messages?q=%ED%95%9C%EA%B8%80&limit=1", "/api/a%2Fb%3F"],
)
def test_api_gets_its_path_unchanged(web: Nginx, path: str) -> None:
    assert httpx.get(web.url + path).json()["path"] == path


def test_api_learns_host_with_port_scheme_client_and_trace(web: Nginx) -> None:
    got = httpx.get(f"{web.url}/api/x", headers={"traceparent": TRACEPARENT}).json()["headers"]
    host = f"127.0.0.1:{web.port}"
    assert got["Host"] == host
    assert got["X-Forwarded-Host"] == host
    assert got["X-Forwarded-Proto"] == "http"
    assert got["X-Forwarded-For"] == "127.0.0.1"
    assert got["traceparent"] == TRACEPARENT


def test_word_of_an_ingress_on_scheme_and_host_is_passed_on(web: Nginx) -> None:
    said = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "board.example",
        "X-Forwarded-For": "203.0.113.7",
    }
    got = httpx.get(f"{web.url}/api/x", headers=said).json()["headers"]
    assert got["X-Forwarded-Proto"] == "https"
    assert got["X-Forwarded-Host"] == "board.example"
    assert got["X-Forwarded-For"] == "203.0.113.7, 127.0.0.1"


def test_request_id_is_passed_on_once(web: Nginx) -> None:
    answer = httpx.get(f"{web.url}/api/x", headers={"X-Request-Id": "abc-1"})
    assert answer.json()["headers"]["X-Request-Id"] == "abc-1"
    assert answer.headers.get_list("x-request-id") == ["abc-1"]


@pytest.mark.parametrize("offered", ["", "two words", "x" * 65, '"quoted"'])
def test_request_id_is_made_where_none_can_be_used(web: Nginx, offered: str) -> None:
    answer = httpx.get(f"{web.url}/api/x", headers={"X-Request-Id": offered})
    made = answer.json()["headers"]["X-Request-Id"]
    assert made != offered
    assert len(made) == 32


def test_headers_of_the_api_win_over_those_for_pages(web: Nginx) -> None:
    assert httpx.get(f"{web.url}/api/x").headers.get_list("cache-control") == ["private"]


def test_api_answers_are_compressed(web: Nginx) -> None:
    assert httpx.get(f"{web.url}/api/x").headers["content-encoding"] == "gzip"


def test_body_over_the_apis_own_limit_reaches_the_api(web: Nginx) -> None:
    assert httpx.post(f"{web.url}/api/messages", content=b"x" * 70_000).status_code == 200


def test_body_over_nginxs_limit_is_a_problem(web: Nginx) -> None:
    answer = httpx.post(f"{web.url}/api/messages", content=b"x" * 1_100_000)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


def test_event_stream_arrives_as_it_is_written(web: Nginx, api: Upstream) -> None:
    api.second_event.clear()
    with httpx.stream("GET", f"{web.url}/api/live") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "data: first"
        api.second_event.set()
        assert "data: second" in list(lines)


@pytest.mark.parametrize("path", ["/api", "/api/messages", "/api/live"])
def test_upstream_that_is_down_is_a_problem(lonely_web: Nginx, path: str) -> None:
    answer = httpx.get(lonely_web.url + path)
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert problem["type"] == "urn:madang:problem:bad_gateway"
    assert problem["status"] == 502
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_upstream_that_hangs_up_is_a_problem(web: Nginx) -> None:
    answer = httpx.get(f"{web.url}/api/broken")
    assert answer.status_code == 502
    assert answer.json()["code"] == "bad_gateway"


def test_access_log_is_json_without_the_query(web: Nginx) -> None:
    headers = {"X-Request-Id": "logged-1", "traceparent": TRACEPARENT}
    httpx.get(f'{web.url}/api/logged"?q=secret', headers=headers)
    (line,) = wait_until(lambda: access_log(web, "/api/logged%22"), 20, "the log line")
    assert line["service_name"] == "madang-web"
    assert line["request_id"] == "logged-1"
    assert line["traceparent"] == TRACEPARENT
    assert line["method"] == "GET"
    assert line["status"] == 200
    assert isinstance(line["request_seconds"], float)


def test_no_query_string_is_logged_anywhere(web: Nginx, lonely_web: Nginx) -> None:
    for server, path in ((web, "/api/broken"), (lonely_web, "/api/x"), (web, "/assets/gone.js")):
        httpx.get(f"{server.url}{path}?q=hidden-word")
        wait_until(partial(access_log, server, path), 20, "the log line")
        assert "hidden-word" not in server.process.log.read_text()
