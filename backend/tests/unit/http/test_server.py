"""Serving by real processes: ports, signals, ends."""

import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from madang.errors import ConfigurationError
from madang.http.server import WORKER_GRACE_SECONDS, bind
from tests.services.ports import answers, free_port
from tests.services.process import Process
from tests.services.waiting import wait_until
from tests.unit.http.wsgi_process import NOTES

BACKEND = Path(__file__).parents[3]
STOP_SECONDS = 15.0
START_SECONDS = 15.0


class Start(Protocol):
    def __call__(self, module: str, *arguments: str) -> Process: ...


@contextmanager
def starting(directory: Path) -> Iterator[Start]:
    """Starts processes that keep their logs and notes in `directory`, and ends them."""
    started: list[Process] = []

    def begin(module: str, *arguments: str) -> Process:
        process = Process(
            module,
            [sys.executable, "-m", f"tests.unit.http.{module}", *arguments],
            log=directory / f"{module}.{len(started)}.log",
            environment={**os.environ, NOTES: str(directory)},
            directory=BACKEND,
        )
        started.append(process)
        process.spawn()
        return process

    yield begin
    for process in started:
        process.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as begin:
        yield begin


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with one worker, for tests that leave it whole."""
    with starting(tmp_path_factory.mktemp("one-worker")) as begin:
        yield begin_wsgi(begin, workers=1)[1]


def begin_asgi(start: Start, *options: str) -> tuple[Process, int]:
    port = free_port()
    process = start("asgi_process", "127.0.0.1", str(port), *options)
    wait_until(lambda: f"ready on {port}" in process.log_tail(), START_SECONDS, "the server")
    return process, port


def begin_wsgi(start: Start, workers: int = 2) -> tuple[Process, int]:
    port = free_port()
    process = start("wsgi_process", str(port), str(workers))
    wait_until(lambda: answers(port), START_SECONDS, "a worker")
    answered: set[int] = set()

    def all_answer() -> bool:
        answered.add(pid_at(port))
        return len(answered) >= workers

    wait_until(all_answer, START_SECONDS, "every worker")
    return process, port


@contextmanager
def get(port: int, path: str) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as response:
            yield response


def pid_at(port: int) -> int:
    """The worker that answers, or 0 while none does."""
    try:
        with get(port, "/api/pid") as response:
            return int(response.read())
    except OSError:
        return 0


def test_bind_names_the_port_that_is_in_use() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"^Port {port} on 127.0.0.1 is in use$"):
            bind("127.0.0.1", port)


def test_bind_sees_a_port_that_is_shared_on_purpose() -> None:
    with socket.socket() as sharing:
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharing.bind(("127.0.0.1", 0))
        sharing.listen()
        with pytest.raises(ConfigurationError, match="is in use"):
            bind("127.0.0.1", sharing.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        ("192.0.2.1", "192.0.2.1 is not an address of this machine"),
        ("not a host", "not a host is not a host name or address"),
        ("x" * 300, "is not a host name or address"),
    ],
)
def test_bind_names_an_address_that_cannot_be_had(host: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        bind(host, 0)


def test_bind_takes_version_6_addresses_or_says_that_there_are_none() -> None:
    if Path("/proc/net/if_inet6").exists():
        with bind("::1", 0) as listener:
            assert listener.family == socket.AF_INET6
    else:
        with pytest.raises(ConfigurationError, match="::1"):
            bind("::1", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asgi_ends_open_streams_and_then_itself(start: Start, number: signal.Signals) -> None:
    process, port = begin_asgi(start)
    with get(port, "/stream") as stream:
        assert stream.readline() == b"open\n"

        process.signal(number)

        assert process.wait(STOP_SECONDS) == 0
        assert stream.read() == b"end\n"
    assert process.log_tail().splitlines()[1:] == ["begun", f"ready on {port}", "ended"]


def test_asgi_ends_within_its_time_though_a_stream_does_not(start: Start) -> None:
    process, port = begin_asgi(start, "--deaf")
    with get(port, "/stream") as stream:
        assert stream.readline() == b"open\n"

        process.signal(signal.SIGTERM)

        assert process.wait(STOP_SECONDS) == 0
    assert process.log_tail().splitlines()[-1] == "ended"
    assert "Traceback" not in process.log_tail()


def test_asgi_ends_on_the_spot_at_the_second_interrupt(start: Start) -> None:
    process, port = begin_asgi(start, "--deaf")
    with get(port, "/stream") as stream:
        assert stream.readline() == b"open\n"

        process.signal(signal.SIGINT)
        wait_until(lambda: not answers(port), STOP_SECONDS, "the port to close")
        process.signal(signal.SIGINT)

        assert process.wait(STOP_SECONDS) == 128 + signal.SIGINT


def test_asgi_says_in_one_line_that_its_port_is_in_use(start: Start) -> None:
    _, port = begin_asgi(start)

    second = start("asgi_process", "127.0.0.1", str(port))

    assert second.wait(START_SECONDS) == 1
    assert second.log_tail().splitlines()[1:] == [f"Port {port} on 127.0.0.1 is in use"]


def test_asgi_names_no_server(start: Start) -> None:
    _, port = begin_asgi(start)

    with get(port, "/") as response:
        assert response.getheader("server") is None


def test_wsgi_says_in_one_line_that_its_port_is_in_use(start: Start) -> None:
    first, port = begin_wsgi(start)

    second = start("wsgi_process", str(port), "1")

    assert second.wait(START_SECONDS) == 1
    assert second.log_tail().splitlines()[1:] == [f"Port {port} on 127.0.0.1 is in use"]
    assert first.running


def test_wsgi_finishes_what_it_has_begun_and_then_runs_the_hooks(
    start: Start, tmp_path: Path
) -> None:
    process, port = begin_wsgi(start)
    idle = socket.create_connection(("127.0.0.1", port))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/api/slow")
    wait_until((tmp_path / "slow.began").exists, 20, "the slow request")
    workers = [child.pid for child in process.children()]

    process.signal(signal.SIGTERM)
    wait_until(lambda: not answers(port), 20, "the port to close")
    (tmp_path / "slow.go").touch()

    with closing(idle), closing(connection):
        assert connection.getresponse().read() == b"done"
        process.wait(WORKER_GRACE_SECONDS)
    assert process.exit_code == 0
    ends = {path.name: path.read_text() for path in tmp_path.glob("end.*")}
    assert set(ends) == {f"end.{pid}" for pid in workers}
    assert "slow done: True" in ends.values()


def test_wsgi_workers_die_with_their_supervisor(start: Start) -> None:
    process, port = begin_wsgi(start)
    workers = process.children()

    process.kill()

    psutil.wait_procs(workers, timeout=5)
    assert [worker for worker in workers if _alive(worker)] == []
    assert not answers(port)


def test_wsgi_replaces_a_worker_that_was_killed(start: Start) -> None:
    process, port = begin_wsgi(start, workers=1)
    before = pid_at(port)

    psutil.Process(before).kill()

    wait_until(lambda: pid_at(port) not in {0, before}, START_SECONDS, "a new worker")
    assert process.running


def test_wsgi_ends_with_the_reason_when_no_worker_can_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "refuse").touch()

    process = start("wsgi_process", str(free_port()), "1")

    assert process.wait(START_SECONDS) == 1
    assert "Error: MADANG_TEST is not set" in process.log_tail()
    assert "Traceback" not in process.log_tail()


def test_wsgi_stops_at_once_while_its_workers_start(start: Start) -> None:
    process = start("wsgi_process", str(free_port()), "2")
    wait_until(lambda: len(process.children()) == 2, START_SECONDS, "the workers")

    process.signal(signal.SIGTERM)

    process.wait(WORKER_GRACE_SECONDS)


def test_wsgi_worker_hears_a_signal_that_did_not_wake_it(start: Start, tmp_path: Path) -> None:
    begin_wsgi(start, workers=1)

    (tmp_path / "stop now").touch()

    wait_until(lambda: any(tmp_path.glob("end.*")), START_SECONDS, "the worker's end")


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 1_000_000, 5_000_000])
def test_wsgi_answers_413_to_a_body_that_is_too_large(
    one_worker: int, size: int, chunked: bool
) -> None:
    assert post(one_worker, "/api/echo", size, chunked=chunked) == (413, "body_too_large")


@pytest.mark.parametrize("size", [0, 1, 64 * 1024])
def test_wsgi_reads_a_chunked_body(one_worker: int, size: int) -> None:
    assert post(one_worker, "/api/echo", size, chunked=True) == (200, str(size))


def post(port: int, path: str, size: int, *, chunked: bool) -> tuple[int, str]:
    """Send a whole body before reading anything, as simple clients do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = b"x" * size
    headers = {"Content-Type": "application/json"}
    pieces = (body[at : at + 16_384] for at in range(0, size, 16_384))
    connection.request("POST", path, pieces if chunked else body, headers, encode_chunked=chunked)
    with closing(connection), connection.getresponse() as response:
        text = response.read().decode()
        problem = "problem" in response.getheader("content-type", "")
    if problem:
        return response.status, str(json.loads(text)["code"])
    return response.status, text


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
