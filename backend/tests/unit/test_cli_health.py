"""`madang health`: what it says of an address that is well, unwell, silent or none."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from madang.cli import main
from tests.services.ports import free_port

UNWELL = b"""{"status": "unavailable", "checks": {
  "database": {"status": "unavailable", "detail": "The database is not available"},
  "redis": {"status": "ok"}, "spool": {"status": "unavailable"}}}"""


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server with one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/health/ready"
        finally:
            server.shutdown()
            thread.join()


def health(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["health", *arguments])


def test_health_of_what_is_well_exits_with_zero() -> None:
    with answering(200, b'{"status": "ok"}') as url:
        done = health(url)
    assert (done.exit_code, done.output) == (0, f"{url} is well\n")


def test_health_of_what_is_not_ready_names_what_is_down() -> None:
    with answering(503, UNWELL) as url:
        done = health(url)
    assert done.exit_code == 1
    down = "database (The database is not available), spool"
    assert done.output == f"madang: {url} answered 503: {down}\n"


def test_health_of_a_foreign_answer_gives_its_status() -> None:
    with answering(404, b"<html>") as url:
        done = health(url)
    assert (done.exit_code, done.output) == (1, f"madang: {url} answered 404\n")


def test_health_of_nothing_says_that_nobody_answers() -> None:
    done = health(f"http://127.0.0.1:{free_port()}/")
    assert done.exit_code == 1
    assert "does not answer: [Errno 111]" in done.output


def test_health_of_what_is_silent_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = health(f"http://127.0.0.1:{silent.getsockname()[1]}/", "--timeout", "0.2")
    assert done.exit_code == 1
    assert "does not answer: timed out" in done.output


@pytest.mark.parametrize(
    "url", ["127.0.0.1:5000", "https://board.example/", "http://", "http://x:y/"]
)
def test_health_refuses_what_is_no_http_address(url: str) -> None:
    done = health(url)
    assert done.exit_code == 2
    assert done.output.startswith(f"madang: {url} is not an address like http://")
