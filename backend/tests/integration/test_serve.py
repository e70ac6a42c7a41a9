"""`madang serve` as a person starts, breaks and stops it."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from tests.services.ports import free_port
from tests.services.stack import Embedded, clean_environment, madang_command
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration

STOP_SECONDS = 15.0
CREDENTIALS = {"username": "first-user", "password": "correct horse battery"}


@pytest.fixture
def own(services_directory: Path, request: pytest.FixtureRequest) -> Embedded:
    """An embedded process of this test's own, not started."""
    name = re.sub(r"\W+", "-", request.node.name)
    return Embedded(services_directory / f"serve-{name}-{os.getpid()}")


def refused(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `madang serve`, which must end by itself."""
    return subprocess.run(
        [madang_command(), "serve", *arguments],
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode in {1, 2}, done
    assert said in done.stderr
    assert len((done.stdout + done.stderr).strip().splitlines()) == 1, done


def test_help_shows_host_port_and_data() -> None:
    done = refused("--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--host", "--port", "--data"))


def test_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = refused("--port", str(port), "--data", str(tmp_path / "data"))
    assert_one_line(done, f"Port {port} on 127.0.0.1 is in use")


def test_held_data_directory_is_one_line(own: Embedded) -> None:
    with own.running():
        done = refused("--port", str(free_port()), "--data", str(own.data))
    assert_one_line(done, "holds the data directory")


def test_unusable_data_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = refused("--port", str(free_port()), "--data", str(tmp_path / "file"))
    assert_one_line(done, str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MADANG_SECRET_KEY", "short"),
        ("MADANG_SPOOL_MAX_BYTES", "many"),
        ("MADANG_PUBLIC_URL", "board.example"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
    ],
)
def test_wrong_setting_is_one_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    done = refused("--port", str(free_port()), "--data", str(tmp_path / "data"), **{name: value})
    assert_one_line(done, name)


def test_data_of_a_newer_version_is_one_line(own: Embedded) -> None:
    with own.running():
        pass
    with closing(sqlite3.connect(own.data / "madang.db")) as database:
        database.execute("UPDATE schema_compatibility SET minimum_version = '99.0.0'")
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    done = refused("--port", str(free_port()), "--data", str(own.data))
    assert_one_line(done, "99.0.0")


def test_data_stays_over_a_restart_and_so_does_the_session(own: Embedded) -> None:
    with httpx.Client(base_url=own.url) as client:
        with own.running():
            assert client.post("/api/users", json=CREDENTIALS).json()["user"]["role"] == "admin"
            call_id = client.post("/api/messages", json={"body": "남는 글"}).headers["Madang-Call"]
        with own.running():
            assert client.get("/api/messages").json()["items"][0]["body"] == "남는 글"
            assert client.get(f"/api/logs/kafka/{call_id}").status_code == 200
            recent = client.get("/api/logs/redis").json()["items"]
            assert call_id in {item["id"] for item in recent}


def test_second_person_to_register_is_no_administrator(own: Embedded) -> None:
    with own.running(), httpx.Client(base_url=own.url) as client:
        client.post("/api/users", json=CREDENTIALS)
        second = client.post("/api/users", json=CREDENTIALS | {"username": "second-user"})
        assert second.json()["user"]["role"] == "member"


def test_stops_though_a_page_is_streaming(own: Embedded) -> None:
    with own.running(), httpx.Client(base_url=own.url, timeout=10) as client:
        client.post("/api/users", json=CREDENTIALS)
        with client.stream("GET", "/api/live") as stream:
            chunks = stream.iter_text()
            next(chunks)
            own.process.signal(signal.SIGINT)
            assert own.process.wait(STOP_SECONDS) == 0
            assert '"shutdown"' in "".join(chunks)


def test_killed_process_leaves_nothing_behind_and_starts_again(own: Embedded) -> None:
    with own.running(), httpx.Client(base_url=own.url) as client:
        client.post("/api/users", json=CREDENTIALS)
        children = own.process.children()
        own.process.kill()
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive
        own.process.start()
        assert client.get("/api/session").json()["user"]["username"] == "first-user"


def test_eight_people_posting_beside_the_recorder_get_no_error(own: Embedded) -> None:
    posts = 40
    with own.running():
        with httpx.Client(base_url=own.url) as client:
            client.post("/api/users", json=CREDENTIALS)
            cookie = f"madang_session={client.cookies['madang_session']}"
        together = threading.Barrier(8)

        def post(person: int) -> list[tuple[int, str]]:
            with httpx.Client(base_url=own.url, headers={"Cookie": cookie}, timeout=30) as mine:
                together.wait()
                answers = [
                    mine.post("/api/messages", json={"body": f"{person} {n}"}) for n in range(posts)
                ]
            return [(answer.status_code, answer.headers["Madang-Call"]) for answer in answers]

        with ThreadPoolExecutor(8) as people:
            answered = [item for done in people.map(post, range(8)) for item in done]
        assert {status for status, _ in answered} == {201}
        ids = {call_id for _, call_id in answered}
        with httpx.Client(base_url=own.url, headers={"Cookie": cookie}) as client:
            assert client.get("/api/messages").json()["total"] == 8 * posts
            wait_until(lambda: ids <= history(client), 10, "all calls in history")


def history(client: httpx.Client) -> set[str]:
    found: set[str] = set()
    params: dict[str, str] = {"limit": "200", "log_reads": "false"}
    while True:
        page = client.get("/api/logs/kafka", params=params).json()
        found |= {item["id"] for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]
