"""The whole system as real processes: each can be killed and comes back, and all end together."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.services.nginx import REPOSITORY
from tests.services.ports import free_port
from tests.services.process import is_alive
from tests.services.stack import Embedded, Stack
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"


@contextmanager
def signed_in(url: str, username: str) -> Iterator[httpx.Client]:
    """A client with a new account."""
    with httpx.Client(base_url=url, timeout=10) as client:
        account = {"username": username, "password": PASSWORD}
        assert client.post("/api/users", json=account).status_code == 201
        yield client


def in_history(client: httpx.Client, call_id: str) -> Callable[[], dict[str, Any] | None]:
    """Asks the history for a call."""

    def find() -> dict[str, Any] | None:
        answer = client.get(f"/api/logs/kafka/{call_id}")
        return answer.json() if answer.status_code == 200 else None

    return find


def post(client: httpx.Client, body: str) -> str:
    """Post a message; returns the id of the call."""
    answer = client.post("/api/messages", json={"body": body})
    assert answer.status_code == 201, answer.text
    return answer.headers["Madang-Call"]


def test_stack_records_a_post_that_came_through_nginx(stack: Stack) -> None:
    with signed_in(stack.url, "through-nginx") as client:
        call_id = post(client, "안녕, 마당")
        call = wait_until(in_history(client, call_id), 10, "the call in history")
        assert call["endpoint"] == "/api/messages"
        assert call["status"] == 201
        assert call["user_id"] == "through-nginx"
        newest = client.get("/api/messages?limit=1").json()["items"][0]
        assert newest["body"] == "안녕, 마당"


@pytest.mark.parametrize("name", ["ship", "record", "api", "live", "web"])
def test_stack_goes_on_after_kill_and_restart_of_one(stack: Stack, name: str) -> None:
    process = stack.processes[name]
    workers = process.children()
    process.kill()
    process.start()
    stack.wait_ready()
    assert not [worker for worker in workers if is_alive(worker.pid)]
    with signed_in(stack.url, f"after-{name}") as client:
        call_id = post(client, f"{name} is back")
        assert wait_until(in_history(client, call_id), 20, "the call in history")


def test_embedded_process_does_the_same_alone(embedded: Embedded) -> None:
    with signed_in(embedded.url, "alone") as client:
        call_id = post(client, "혼자서도")
        assert wait_until(in_history(client, call_id), 20, "the call in history")


@pytest.fixture
def up(services_directory: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`make up`, just started, and its port."""
    port = free_port()
    argv = ["--port", str(port), "--data", str(services_directory / "up")]
    starting = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "deploy" / "dev" / "up.py"), *argv],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "backend")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with starting as process:
        try:
            yield process, port
        finally:
            process.kill()


def test_make_up_prints_its_address_and_leaves_nothing_after_ctrl_c(
    up: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = up
    assert process.stdout is not None
    said = ""
    while "Logs:" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    found = re.search(r"http://\S+", said)
    assert found is not None
    assert found[0] == f"http://127.0.0.1:{port}/"
    assert httpx.get(f"{found[0]}api/health/ready").status_code == 200
    children = psutil.Process(process.pid).children(recursive=True)
    assert {"mariadbd", "redis-server", "java", "nginx"} <= {child.name() for child in children}
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not [child for child in children if is_alive(child.pid)]
